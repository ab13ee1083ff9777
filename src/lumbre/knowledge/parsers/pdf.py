"""PDF files, page by page."""

from contextlib import closing
from typing import TYPE_CHECKING

from lumbre.core.document import Bounds, Parsed, Span
from lumbre.core.errors import DocumentUnreadable
from lumbre.knowledge.tidy import tidy

if TYPE_CHECKING:
    import pypdfium2

ENDINGS = (".pdf",)

_HYPHEN = "\ufffe"
"""What PDFium puts in place of a hyphen at a line's end and the line break after it.

Source: pdfium core/fpdftext/cpdf_textpage.cpp; seen with pypdfium2 5.15.
"""
_MOST_FIELDS = 200
"""Looked at to see whether a page is a form."""


def parse(data: bytes, bounds: Bounds) -> Parsed:
    """The text of the pages, each ending in a line break but the last."""
    import pypdfium2
    import pypdfium2.raw

    if not data.strip():
        raise DocumentUnreadable(document="", reason="empty")
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        locked = error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD
        reason = "encrypted" if locked else "damaged"
        raise DocumentUnreadable(document="", reason=reason) from error
    try:
        if len(document) > bounds.pages:
            raise DocumentUnreadable(document="", reason="pages")
        texts = [_text_of(document, index) for index in range(len(document))]
    finally:
        document.close()
    if not any(text.strip() for text in texts):
        raise DocumentUnreadable(document="", reason="no_text")
    return joined(texts)


def joined(texts: list[str]) -> Parsed:
    """Pages as one text: contiguous spans over the whole of it."""
    spans = []
    position = 0
    for number, text in enumerate(texts, start=1):
        length = len(text) + (number < len(texts))
        spans.append(Span(position, position + length))
        position += length
    return Parsed("\n".join(texts), tuple(spans))


def _text_of(document: "pypdfium2.PdfDocument", index: int) -> str:
    import pypdfium2

    try:
        with closing(document[index]) as page:
            if not _is_form(page) or not _print_form(page):
                return _text_on(page)
        with closing(document[index]) as printed:
            return _text_on(printed)
    except pypdfium2.PdfiumError:
        return ""  # one broken page does not take the others with it


def _text_on(page: "pypdfium2.PdfPage") -> str:
    with closing(page.get_textpage()) as textpage:
        text: str = textpage.get_text_range()
    return tidy(text.replace(_HYPHEN, "-\n"))


def _is_form(page: "pypdfium2.PdfPage") -> bool:
    """Whether there are fields on it that people fill in."""
    import pypdfium2.raw as pdfium

    for number in range(min(pdfium.FPDFPage_GetAnnotCount(page), _MOST_FIELDS)):
        if field := pdfium.FPDFPage_GetAnnot(page, number):
            kind = pdfium.FPDFAnnot_GetSubtype(field)
            pdfium.FPDFPage_CloseAnnot(field)
            if kind == pdfium.FPDF_ANNOT_WIDGET:
                return True
    return False


def _print_form(page: "pypdfium2.PdfPage") -> bool:
    """Make what was filled in part of the page, as printing it does; only in memory."""
    import pypdfium2.raw as pdfium

    return bool(pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY) == pdfium.FLATTEN_SUCCESS)

"""Word files, in the order and with the numbers a person reads them with."""

from typing import TYPE_CHECKING

from lumbre.core.document import Bounds, Parsed
from lumbre.core.errors import DocumentUnreadable
from lumbre.knowledge.tidy import tidy

if TYPE_CHECKING:
    from lumbre.knowledge.parsers.docx.container import Container
    from lumbre.knowledge.parsers.docx.styles import Styles

ENDINGS = (".docx", ".docm", ".dotx", ".dotm")

_PAGE_LETTERS = 12
"""As many as "Página 1 de 3" has."""


def parse(data: bytes, bounds: Bounds) -> Parsed:
    """One text without pages: where a page ends is only known to who prints it."""
    from lumbre.knowledge.parsers.docx.body import Body
    from lumbre.knowledge.parsers.docx.container import Container
    from lumbre.knowledge.parsers.docx.notes import notes_in
    from lumbre.knowledge.parsers.docx.styles import (
        NUMBERING_TAGS,
        STYLE_TAGS,
        Numbering,
        Styles,
    )

    if not data.strip():
        raise DocumentUnreadable(document="", reason="empty")
    container = Container(data, bounds.unpacked_bytes)
    main = container.main()
    styles = Styles(container.opened(container.beside(main, "styles"), STYLE_TAGS))
    numbering = Numbering(container.opened(container.beside(main, "numbering"), NUMBERING_TAGS))
    body = Body(
        styles,
        numbering,
        footnotes=notes_in(container, container.beside(main, "footnotes"), styles),
        endnotes=notes_in(container, container.beside(main, "endnotes"), styles),
    )
    texts = [
        *_margins(container, container.beside(main, "header"), styles),
        body.read(container.events(main)),
        *_margins(container, container.beside(main, "footer"), styles),
    ]
    text = tidy("\n".join(text for text in texts if text.strip()))
    if not text.strip():
        raise DocumentUnreadable(document="", reason="no_text")
    return Parsed(text)


def _margins(container: "Container", parts: list[str], styles: "Styles") -> list[str]:
    """What stands at the top or the foot of the pages: each text once, no mere numbers."""
    from lumbre.knowledge.parsers.docx.body import Body
    from lumbre.knowledge.parsers.docx.styles import Numbering

    texts = [Body(styles, Numbering(())).read(container.events(part)) for part in parts]
    return [text for text in dict.fromkeys(texts) if sum(map(str.isalpha, text)) > _PAGE_LETTERS]

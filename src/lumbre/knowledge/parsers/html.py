"""HTML pages: what a browser shows of them, the title first.

Read as a stream of tags, so that neither a large page nor one nested a hundred thousand
deep costs more than its length. Nothing a page refers to is opened.
"""

import codecs
import re
from collections.abc import Mapping

from lumbre.core.document import Bounds, Parsed
from lumbre.core.errors import DocumentUnreadable
from lumbre.knowledge.decode import decoded, is_binary, is_marked
from lumbre.knowledge.layout import Layout
from lumbre.knowledge.tidy import tidy

ENDINGS = (".html", ".htm", ".xhtml")

_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.I)
_HEAD_BYTES = 4096
"""Where a page may name its encoding. Source: the HTML standard asks for the first 1024."""
_FEED_BYTES = 65_536

_UNSEEN = frozenset(
    [
        "script",
        "style",
        "template",
        "noscript",
        "nav",
        "svg",
        "iframe",
        "object",
        "canvas",
        "audio",
        "video",
        "datalist",
        "noframes",
        "map",
    ]
)
_APART = frozenset(
    [
        "p",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "blockquote",
        "pre",
        "table",
        "ul",
        "ol",
        "dl",
        "figure",
        "hr",
        "section",
        "article",
        "header",
        "footer",
        "main",
        "aside",
        "form",
        "fieldset",
        "caption",
        "details",
        "address",
    ]
)
_LINES = frozenset(
    [
        "div",
        "li",
        "dt",
        "dd",
        "tr",
        "body",
        "center",
        "figcaption",
        "legend",
        "summary",
        "option",
        "optgroup",
        "td",
        "th",
    ]
)
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|(?:font-size|opacity)\s*:\s*0(?![.\d])", re.I
)
_SPACES = re.compile(r"[ \t\r\n\f\xa0]+")
_AROUND_BREAK = re.compile(r" *\n *")
_RAISED = str.maketrans("0123456789+-−()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁽⁾ⁿ")


def parse(data: bytes, bounds: Bounds) -> Parsed:
    """One text without pages."""
    if not data.strip():
        raise DocumentUnreadable(document="", reason="empty")
    if is_binary(data):
        raise DocumentUnreadable(document="", reason="binary")
    from lxml.etree import HTMLParser, XMLSyntaxError

    page = _Page()
    parser = HTMLParser(target=page, encoding="utf-8", huge_tree=True)
    encoded = _text_of(data).replace("\0", "").encode(errors="replace")
    try:
        for start in range(0, len(encoded), _FEED_BYTES):
            parser.feed(encoded[start : start + _FEED_BYTES])
        parser.close()
    except XMLSyntaxError:
        pass  # not one tag in it: what was seen until here is all there is
    text = tidy(page.text())
    if not text.strip():
        raise DocumentUnreadable(document="", reason="no_text")
    return Parsed(text)


def _text_of(data: bytes) -> str:
    """By its mark, as UTF-8, by the encoding it names, or by guess: the first that fits."""
    named = _CHARSET.search(data[:_HEAD_BYTES])
    if is_marked(data) or named is None:
        return decoded(data)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        name = codecs.lookup(named[1].decode("ascii", "replace")).name
        # Source: the HTML standard reads Latin-1 as Windows-1252, as browsers do
        return data.decode("cp1252" if name in ("iso8859-1", "ascii") else name)
    except (LookupError, ValueError):
        return decoded(data)


class _Page:
    """Takes the tags of a page as they come."""

    def __init__(self) -> None:
        self._into = [Layout()]
        self._rows: list[list[Layout]] = []
        self._lists: list[int | None] = []
        self._pieces: list[str] = []
        self._mark = ""
        self._title: list[str] = []
        self._in_title = self._in_pre = self._in_sup = 0
        self._open: list[str] = []
        """The tags inside the outermost one that is not shown, with it."""

    def text(self) -> str:
        self._end_block(apart=True)
        while self._rows:
            self._end_row()
        body = self._into[0].text()
        title = _SPACES.sub(" ", "".join(self._title)).strip()
        if title and not body.startswith(title):
            return f"{title}\n\n{body}\n"
        return body + "\n"

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self._open or _is_unseen(tag, attributes):
            self._open.append(tag)
        elif tag == "title":
            self._in_title += 1
        elif tag == "br":
            self._pieces.append("\n")
        elif tag in _APART or tag in _LINES:
            self._end_block(apart=tag in _APART)
            self._start_block(tag, attributes)
        elif tag == "sup":
            self._in_sup += 1
        elif tag == "q":
            self._pieces.append("“")

    def end(self, tag: str) -> None:
        if self._open:
            self._open.pop()
        elif tag == "title":
            self._in_title -= 1
        elif tag in _APART or tag in _LINES:
            self._end_block(apart=tag in _APART)
            self._finish_block(tag)
        elif tag == "sup":
            self._in_sup -= 1
        elif tag == "q":
            self._pieces.append("”")

    def data(self, text: str) -> None:
        if self._in_title and not self._open:
            self._title.append(text)
        elif not self._open:
            if self._in_sup and len(text) < 4:
                text = text.translate(_RAISED)
            self._pieces.append(text if self._in_pre else _SPACES.sub(" ", text))

    def comment(self, text: str) -> None:
        """Nobody sees them."""

    def close(self) -> None:
        """Nothing is left to do."""

    def _start_block(self, tag: str, attributes: Mapping[str, str]) -> None:
        match tag:
            case "pre":
                self._in_pre += 1
            case "ul" | "ol":
                start = attributes.get("start") or "1"
                number = int(start) if start.isdecimal() and len(start) < 10 else 1
                self._lists.append(number if tag == "ol" else None)
            case "li":
                self._mark = self._next_mark()
            case "tr":
                self._rows.append([])
            case "td" | "th" if self._rows:
                self._into.append(Layout())
                self._rows[-1].append(self._into[-1])

    def _finish_block(self, tag: str) -> None:
        match tag:
            case "pre":
                self._in_pre -= 1
            case "ul" | "ol" if self._lists:
                self._lists.pop()
            case "li":
                self._mark = ""
            case "td" | "th" if self._rows and len(self._into) > 1:
                self._into.pop()
            case "tr" if self._rows:
                self._end_row()
            case "table":
                self._into[-1].close()

    def _end_row(self) -> None:
        self._into[-1].add_row(self._rows.pop())

    def _end_block(self, *, apart: bool) -> None:
        text, self._pieces = "".join(self._pieces), []
        if not self._in_pre:
            text = _AROUND_BREAK.sub("\n", _SPACES_IN_LINE.sub(" ", text)).strip()
        if not text.strip():
            return
        mark, self._mark = self._mark, ""
        self._into[-1].add(mark + text.strip("\n"), apart=apart and not self._lists)

    def _next_mark(self) -> str:
        if not self._lists:
            return "- "
        indent = "  " * min(len(self._lists) - 1, 8)
        number = self._lists[-1]
        if number is None:
            return f"{indent}- "
        self._lists[-1] = number + 1
        return f"{indent}{number}. "


_SPACES_IN_LINE = re.compile(r" {2,}")


def _is_unseen(tag: str, attributes: Mapping[str, str]) -> bool:
    return (
        tag in _UNSEEN
        or attributes.get("hidden", "until-found") != "until-found"
        or attributes.get("aria-hidden", "").lower() == "true"
        or (tag == "dialog" and "open" not in attributes)
        or ("style" in attributes and _HIDDEN.search(attributes["style"]) is not None)
    )

"""Turn the tags of a Word file's text into paragraphs, items, rows and notes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lumbre.knowledge.layout import Layout
from lumbre.knowledge.parsers.docx.container import Event
from lumbre.knowledge.parsers.docx.styles import Numbering, Styles, is_on, level_of

_UNSEEN = frozenset(
    ("w:del", "w:moveFrom", "w:instrText", "w:delText", "w:delInstrText", "mc:Fallback")
)
"""What was deleted or moved away, what a field computes from, and the second copy of a text
box for old programs."""
_IN_RUN = {"w:tab": "\t", "w:br": "\n", "w:cr": "\n", "w:noBreakHyphen": "-", "w:ptab": "\t"}
_IN_MATHS = {"m:oMath": " ", "m:den": "/", "m:sup": "^", "m:sub": "_"}
_SYMBOLS = {"A8": "☐", "6F": "☐", "FE": "☑", "FD": "☒", "FC": "✓", "FB": "✗", "B7": "•"}
"""By the last two digits of their place in Wingdings and Symbol: boxes people tick."""


@dataclass(slots=True)
class _Paragraph:
    pieces: list[str] = field(default_factory=list)
    style: str = ""
    list_id: str = ""
    level: int | None = None
    is_unlisted: bool = False
    boxes: list[str] = field(default_factory=list)
    """What stands in text boxes tied to it."""


@dataclass(slots=True)
class _Place:
    """Where paragraphs go: the text, a cell, a text box."""

    layout: Layout = field(default_factory=Layout)
    rows: list[list[Layout]] = field(default_factory=list)


class Body:
    """Reads one part."""

    def __init__(
        self,
        styles: Styles,
        numbering: Numbering,
        footnotes: Mapping[str, str] | None = None,
        endnotes: Mapping[str, str] | None = None,
    ) -> None:
        self._styles = styles
        self._numbering = numbering
        self._footnotes = footnotes or {}
        self._endnotes = endnotes or {}
        self._note_count = 0
        self._at_foot: list[str] = []
        self._at_end: list[str] = []
        self._places = [_Place()]
        self._paragraphs: list[_Paragraph] = []
        self._unseen = 0
        self._run_is_hidden = False
        self._in_run = self._in_text = False

    def read(self, events: Iterable[Event]) -> str:
        """The whole text, with notes after the paragraph or table that has their mark."""
        for kind, name, values, text in events:
            if kind == "text":
                self._text(text)
            elif self._unseen:
                self._unseen += (1 if kind == "open" else -1) * (name in _UNSEEN)
            elif kind == "open":
                self._open(name, values)
            else:
                self._close(name)
        layout = self._places[0].layout
        for note in (*self._at_foot, *self._at_end):
            layout.add(note, apart=True)
        return layout.text() + "\n"

    def _text(self, text: str) -> None:
        if self._in_text and self._paragraphs and not (self._run_is_hidden or self._unseen):
            self._paragraphs[-1].pieces.append(text)

    def _open(self, name: str, values: Mapping[str, str]) -> None:
        place = self._places[-1]
        match name:
            case "w:t" | "m:t":
                self._in_text = True
            case "w:p":
                self._paragraphs.append(_Paragraph())
            case "w:r":
                self._in_run, self._run_is_hidden = True, False
            case "w:tr":
                place.rows.append([])
            case "w:tc" if place.rows:
                self._places.append(_Place())
                place.rows[-1].append(self._places[-1].layout)
            case "w:txbxContent":
                self._places.append(_Place())
            case _ if name in _UNSEEN:
                self._unseen = 1
            case _ if self._paragraphs:
                self._open_in_paragraph(name, values, self._paragraphs[-1])

    def _open_in_paragraph(
        self, name: str, values: Mapping[str, str], paragraph: _Paragraph
    ) -> None:
        value = values.get("val", "")
        match name:
            case "w:vanish" if self._in_run:
                self._run_is_hidden = is_on(values)
            case "w:rStyle":
                self._run_is_hidden = self._run_is_hidden or self._styles.is_hidden(value)
            case "w:pStyle":
                paragraph.style = value
            case "w:numId":
                paragraph.list_id, paragraph.is_unlisted = value, value == "0"
            case "w:ilvl":
                paragraph.level = level_of(value)
            case "w:footnoteReference":
                self._refer(self._footnotes.get(values.get("id", "")), paragraph, self._at_foot)
            case "w:endnoteReference":
                self._refer(self._endnotes.get(values.get("id", "")), paragraph, self._at_end)
            case "w:sym" if not self._run_is_hidden:
                paragraph.pieces.append(_SYMBOLS.get(values.get("char", "")[-2:].upper(), ""))
            case _ if name in _IN_RUN and self._in_run and not self._run_is_hidden:
                paragraph.pieces.append(_IN_RUN[name])
            case _ if name in _IN_MATHS:
                paragraph.pieces.append(_IN_MATHS[name])

    def _close(self, name: str) -> None:
        match name:
            case "w:t" | "m:t":
                self._in_text = False
            case "w:r":
                self._in_run = self._run_is_hidden = False
            case "w:p" if self._paragraphs:
                self._end_paragraph(self._paragraphs.pop())
            case "w:tc" | "w:txbxContent" if len(self._places) > 1:
                box = self._places.pop().layout
                if name == "w:txbxContent" and self._paragraphs:
                    self._paragraphs[-1].boxes.append(box.text())
            case "w:tr" if self._places[-1].rows:
                self._places[-1].layout.add_row(self._places[-1].rows.pop())
            case "w:tbl":
                self._places[-1].layout.close()
                self._end_block()

    def _end_paragraph(self, paragraph: _Paragraph) -> None:
        layout = self._places[-1].layout
        text = "".join(paragraph.pieces).strip(" \n")
        if text and not self._styles.is_hidden(paragraph.style):
            list_id, level = self._styles.list_of(paragraph.style)
            list_id = "" if paragraph.is_unlisted else paragraph.list_id or list_id
            level = level if paragraph.level is None else paragraph.level
            mark = self._numbering.mark(list_id, level) if list_id else ""
            indent = "  " * level if mark == "-" else ""
            layout.add(f"{indent}{mark} {text}" if mark else text, apart=mark != "-")
        for box in paragraph.boxes:
            layout.add(box, apart=True)
        self._end_block()

    def _end_block(self) -> None:
        """Notes come after a paragraph or a table, not in a cell."""
        if len(self._places) == 1:
            for note in self._at_foot:
                self._places[0].layout.add(note, apart=True)
            self._at_foot.clear()

    def _refer(self, note: str | None, paragraph: _Paragraph, to: list[str]) -> None:
        """A mark in the text, and the note it points to."""
        if note and not self._run_is_hidden:
            self._note_count += 1
            paragraph.pieces.append(f"[{self._note_count}]")
            to.append(f"[{self._note_count}] {note}")

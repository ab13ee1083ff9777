"""The footnotes of a Word file by the number their mark carries."""

from collections.abc import Mapping

from lumbre.knowledge.parsers.docx.body import Body
from lumbre.knowledge.parsers.docx.container import Container, Event
from lumbre.knowledge.parsers.docx.styles import Numbering, Styles


def notes_in(container: Container, parts: list[str], styles: Styles) -> Mapping[str, str]:
    """Text of each note by its id; the lines that separate notes are none."""
    notes: dict[str, str] = {}
    inside: list[Event] = []
    id_ = ""
    for event in (event for part in parts for event in container.events(part)):
        if event.name in ("w:footnote", "w:endnote"):
            if event.kind == "open":
                is_note = event.values.get("type", "normal") == "normal"
                inside, id_ = [], event.values.get("id", "") if is_note else ""
            elif id_:
                text = Body(styles, Numbering(())).read(inside)
                notes[id_] = " ".join(text.split())
        inside.append(event)
    return notes

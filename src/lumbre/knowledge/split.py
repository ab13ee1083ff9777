"""Cut a text into passages on the borders its author gave it.

Passages overlap, so that what stands across a border is whole in one of them.
"""

from bisect import bisect_left, bisect_right

from lumbre.core.document import Span
from lumbre.knowledge.sentences import sentences

SIZE = 1000
OVERLAP = 200
_SLACK = 0.2
"""Of the size: how much longer the last passage may be, rather than leave crumbs."""
_EARLIEST = 0.5
"""Of the size: no border before this ends a passage."""
_PARAGRAPH_BONUS = 0.35
"""Of the size: how much shorter a passage may become to end with a paragraph."""


def split(text: str, size: int = SIZE, overlap: int = OVERLAP) -> list[Span]:
    """Spans over the whole text, in order, sizes in code points.

    Each is at most `size` times 1.2 long and begins at most `overlap` before the end of
    the one before it, at a sentence or, where there is none, at a word.
    """
    starts = [span.start for span in sentences(text)]
    found: list[Span] = []
    start = 0
    while len(text) - start > size * (1 + _SLACK):
        end = _end(text, start, size, starts)
        found.append(Span(start, end))
        start = _start(text, start, end, overlap, starts)
    if start < len(text):
        found.append(Span(start, len(text)))
    return found


def _end(text: str, start: int, size: int, starts: list[int]) -> int:
    """The best border between half the size and the size after `start`."""
    earliest, latest = start + int(size * _EARLIEST), start + size
    borders = starts[bisect_right(starts, earliest) : bisect_right(starts, latest)]
    if borders:
        whole = [border for border in borders if _is_paragraph(text, border)]
        if whole and whole[-1] >= latest - size * _PARAGRAPH_BONUS:
            return whole[-1]
        return borders[-1]
    return _word(text, earliest, latest)


def _start(text: str, start: int, end: int, overlap: int, starts: list[int]) -> int:
    """Where the next passage begins: after `start`, at most `overlap` before `end`."""
    earliest = max(start + 1, end - overlap)
    index = bisect_left(starts, earliest)
    if index < len(starts) and starts[index] < end:
        return starts[index]
    at = earliest
    while at < end and not text[at - 1].isspace():
        at += 1
    return at if at < end else (end if text[end - 1].isspace() else earliest)


def _word(text: str, earliest: int, latest: int) -> int:
    for at in range(latest, earliest, -1):
        if text[at - 1] == "\n":
            return at
    for at in range(latest, earliest, -1):
        if text[at - 1].isspace():
            return at
    return latest


def _is_paragraph(text: str, border: int) -> bool:
    before = text[max(0, border - 12) : border]
    return before.rstrip(" \t#*-").endswith("\n\n") or "\n\n" in before

"""Where each sentence of a text stands, in Spanish, Russian or English.

A sentence ends at its mark, unless the dot belongs to an abbreviation, an initial, a
number or a list item; and at the end of a heading, a list item or a table row. Lines
broken by a page's width run on.
"""

import re
from collections.abc import Iterator

from lumbre.core.document import Span
from lumbre.knowledge.abbreviations import BEFORE_A_NUMBER, INSIDE, MAY_END, STARTERS

_LONGEST = 500
"""Code points; a longer stretch without a mark (a table, a legal clause) is cut."""

_END = re.compile(r"[.!?…]+[\"'»”’)\]*_]*(?=\s)|[:;](?=[ \t]*\n)|\n")
_ITEM = re.compile(r"[ \t]*(?:[-*+•–—▪◦·]|#{1,6}|>|\d{1,3}[.)]|[a-zа-яё]\))[ \t]|[ \t]*\|", re.I)
_LEAD = re.compile(r"(?:[ \t]*(?:[-*+•–▪◦·]|#{1,6}|>)[ \t]+)+")
_LABEL = re.compile(r"\w+(?: \d+)?\.")
_OPENING = "\"'«“‘(¿¡[*_—–-"
_CLAUSE = re.compile(r"\d{1,3}(?:\.\d{1,3})*")
_SHORT = 0.85
"""Of the width: a line that ends before this was ended by its author, not by the page."""

_LAST_WORD = re.compile(r"[^\s,;/(«\"“\[]+$")
_RULE = re.compile(r"[\s|:=*_#>+-]*")
"""A line that separates: nothing in it is said."""


def sentences(text: str) -> list[Span]:
    """Spans of the sentences, in order, apart from each other, without outer white space.

    A label of one word, or of one and a number, goes with the sentence after it.
    """
    found: list[Span] = []
    start = 0
    for end in [*_ends(text), len(text)]:
        for span in _trimmed(text, start, end):
            start_of_both = found.pop().start if found and _leads(text, found[-1], span) else None
            found.append(span if start_of_both is None else Span(start_of_both, span.end))
        start = end
    return found


def _leads(text: str, lead: Span, span: Span) -> bool:
    """Whether a sentence is a mere label of the next one: "ATENCIÓN.", "E40.", "Lana."."""
    return (
        span.end - lead.start <= _LONGEST
        and not text[lead.end : span.start].strip(" ")
        and _LABEL.fullmatch(text, lead.start, lead.end) is not None
    )


def _ends(text: str) -> Iterator[int]:
    width = _Widths(text)
    start = 0
    for match in _END.finditer(text):
        mark, end = match.group(), match.end()
        if end <= start:
            continue
        if mark != "\n" and text.startswith("|", _line_start(text, match.start())):
            continue  # a row of a table is one sentence, whatever its cells say
        if mark == "\n":
            ends = _line_ends_it(text, match.start(), width)
        elif mark[0] in ":;":
            ends = bool(_ITEM.match(text, _next_line(text, end)))
        else:
            ends = _mark_ends_it(text, start, match.start(), end)
        if ends:
            yield end
            start = end


def _mark_ends_it(text: str, start: int, mark: int, end: int) -> bool:
    following = text[end : end + 80].lstrip()
    if not following:
        return True
    opener = following.lstrip(_OPENING + " ")[:1]
    if text[mark] != ".":
        # "¿Sí?, dijo" and "«Стой!» — крикнул он" go on in a small letter
        return not opener.islower()
    if text[mark : mark + 2] == "..":
        return not opener.islower()
    word = _LAST_WORD.search(text, max(start, mark - 30), mark)
    before = word.group().lower().lstrip(_OPENING) if word else ""
    if _CLAUSE.fullmatch(before) and not text[_line_start(text, mark) : mark - len(before)].strip():
        return False  # "3." and "3.1." lead an item
    if before in MAY_END:
        lead = text[max(0, mark - len(before) - 2) : mark - len(before)].strip()
        if before == "г":
            return lead[-1:].isdigit() and opener.isupper()
        return opener.isupper()
    if before in BEFORE_A_NUMBER and opener.isdigit():
        return False
    if before in INSIDE:
        return False
    if len(before) == 1 and before.isalpha():
        # an initial, unless what follows would not be a name: "the Fenway E. The rack ..."
        return following.split(None, 1)[0].lower() in STARTERS
    if "." in before and len(before) <= 5 and before.replace(".", "").isalpha():
        return False  # p.ej., т.е., U.S.
    return not opener.islower()


def _line_ends_it(text: str, newline: int, widths: "_Widths") -> bool:
    after = _next_line(text, newline)
    if after >= len(text) or "\n" in text[newline + 1 : after]:
        return True
    line_start = _line_start(text, newline)
    line = text[line_start:newline].strip()
    if not line or _RULE.fullmatch(line) or _ITEM.match(text, after):
        return True
    if line.startswith(("#", "|")):
        return True
    following = text[after : after + 200].split("\n", 1)[0].strip()
    if _RULE.fullmatch(following):
        return True
    first = following.split(" ", 1)[0]
    goes_on = first.lstrip(_OPENING)[:1].islower() or line.endswith((",", "-", "—", "("))
    short = len(line) + 1 + len(first) <= widths.at(newline) * _SHORT
    return short and not goes_on


class _Widths:
    """How wide the lines around a place are: the widest of its paragraph, 40 at least."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = -1
        self._width = 40

    def at(self, position: int) -> int:
        if position > self._end:
            start = self._text.rfind("\n\n", 0, position) + 2 if self._end < 0 else self._end
            end = self._text.find("\n\n", position)
            self._end = len(self._text) if end < 0 else end + 1
            lines = self._text[max(0, start) : self._end].split("\n")
            self._width = max(40, *(len(line) for line in lines))
        return self._width


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    """The stretch without white space, list marks and rules; in pieces when it is long."""
    while start < end and text[start].isspace():
        start += 1
    lead = _LEAD.match(text, start, end)
    if lead:
        start = lead.end()
    while end > start and text[end - 1].isspace():
        end -= 1
    if start >= end or _RULE.fullmatch(text, start, end):
        return
    while end - start > _LONGEST:
        cut = _cut(text, start, start + _LONGEST)
        yield from _trimmed(text, start, cut)
        start = cut
        while start < end and text[start].isspace():
            start += 1
    if start < end:
        yield Span(start, end)


def _cut(text: str, start: int, end: int) -> int:
    for mark in ("\n", "; ", ": ", ", ", " "):
        at = text.rfind(mark, start + _LONGEST // 3, end)
        if at > start:
            return at + 1
    return end


def _line_start(text: str, position: int) -> int:
    return text.rfind("\n", 0, position) + 1


def _next_line(text: str, position: int) -> int:
    """Where the next text after white space begins."""
    while position < len(text) and text[position].isspace():
        position += 1
    return position

"""Cut the shortest quote that carries what it is quoted for, on borders its author set.

Whole sentences where they are short enough; of a longer one the clause.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from lumbre.core.document import Span

LIMIT = 300
"""Code points: what a person reads at a glance beside an answer."""

_BORDER = re.compile(r"[,;:](?=\s)\s+|\s+[—–-]\s+|\n+")
_BLANK = re.compile(r"\s+")

Missing = Callable[[str], int]
"""How much of what the quote is wanted for a text lacks; 0 when it carries all of it."""
Shared = Callable[[str], int]
"""How many words of the claim a text has."""


def excerpt(
    text: str,
    said: Sequence[Span],
    at: int,
    missing: Missing,
    shared: Shared,
    limit: int = LIMIT,
    *,
    whole: bool = False,
) -> Span:
    """The shortest run of the sentences `said` of a text, with `said[at]` in it, that lacks least.

    At most `limit` code points. When that sentence alone is longer, the run of its clauses
    that lacks least, then shares most words with the claim, then is shortest; or longest,
    for `whole`: nothing is known of what the sentence is quoted for.
    """
    runs = [
        Span(said[first].start, said[last].end)
        for first in range(at, -1, -1)
        for last in range(at, len(said))
        if said[last].end - said[first].start <= limit
    ]
    if runs:
        return min(runs, key=lambda run: (missing(_of(text, run)), run.end - run.start))
    clauses = list(_clauses(text, said[at], limit))
    return min(
        clauses,
        key=lambda run: (
            missing(_of(text, run)),
            -shared(_of(text, run)),
            (run.start - run.end) if whole else (run.end - run.start),
        ),
    )


def _clauses(text: str, whole: Span, limit: int) -> Iterator[Span]:
    """Runs of clauses of a sentence, or of words where a clause is too long by itself."""
    pieces = _pieces(text, whole, _BORDER)
    if all(piece.end - piece.start > limit for piece in pieces):
        pieces = _pieces(text, whole, _BLANK)
    found = False
    for first in range(len(pieces)):
        for last in range(first, len(pieces)):
            if pieces[last].end - pieces[first].start > limit:
                break
            found = True
            yield Span(pieces[first].start, pieces[last].end)
    if not found:  # one "word" of more than the limit
        yield Span(whole.start, whole.start + limit)


def _pieces(text: str, whole: Span, border: re.Pattern[str]) -> list[Span]:
    found = []
    start = whole.start
    for match in border.finditer(text, whole.start, whole.end):
        end = match.start() + (match.group()[:1] in ",;:")
        if end > start:
            found.append(Span(start, end))
        start = match.end()
    if whole.end > start:
        found.append(Span(start, whole.end))
    return found


def _of(text: str, span: Span) -> str:
    return text[span.start : span.end]

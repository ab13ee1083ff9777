"""The sentences of the passages that were found: what an answer may be quoted from."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lumbre.core.document import Hit, Parsed, Span
from lumbre.knowledge.index import Index
from lumbre.knowledge.orders import orders

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A sentence of a retrieved passage."""

    hit: Hit
    stretch: int
    """Sentences of one passage and stretch have none between them that was left out."""
    span: Span
    text: str
    vector: "NDArray[np.float32]"
    before: "NDArray[np.float32]"
    """The vector of the sentence before it, which may name what this one tells of."""
    years: frozenset[str]
    """Years that its document speaks of anywhere, or has in its name."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What an answer may stand on."""

    lines: tuple[Line, ...]
    """Every sentence of the passages once, in order of the hits."""
    texts: Mapping[str, Parsed]
    """The stored text of each document, as it was when the sources were taken."""

    def about(self, line: Line) -> tuple[tuple[Line, ...], int]:
        """The sentences around a line in its stretch, in order, and which of them it is."""
        mates = tuple(
            mate for mate in self.lines if mate.hit is line.hit and mate.stretch == line.stretch
        )
        return mates, mates.index(line)


def sources(index: Index, hits: Sequence[Hit]) -> Sources:
    """The sentences of these passages, without those that give a model orders."""
    found: list[Line] = []
    texts: dict[str, Parsed] = {}
    seen: set[tuple[str, int]] = set()
    for hit in hits:
        stored = index.stored(hit.document)
        if stored is None:
            continue
        text = stored.parsed.text
        texts[hit.document] = stored.parsed
        years = frozenset(_YEAR.findall(f"{Path(hit.document).name} {text}"))
        pieces = index.sentences(hit.document, Span(hit.start, hit.end))
        every = [text[piece.span.start : piece.span.end] for piece in pieces]
        stretch = 0
        for before, piece, said, is_order in zip(
            pieces[:1] + pieces, pieces, every, orders(every), strict=False
        ):
            if (hit.document, piece.span.start) in seen or is_order:
                stretch += 1
                continue
            seen.add((hit.document, piece.span.start))
            found.append(Line(hit, stretch, piece.span, said, piece.vector, before.vector, years))
    return Sources(tuple(found), texts)


def of_the_year(question: str, candidates: Sequence[Line]) -> list[Line]:
    """The lines from documents that speak of a year the question names, all if it names none.

    In a passage that was found or in their name; where none does, anywhere in them.
    """
    asked = set(_YEAR.findall(question))
    if not asked:
        return list(candidates)
    near = {
        line.hit.document
        for line in candidates
        if asked & set(_YEAR.findall(f"{Path(line.hit.document).name} {line.hit.text}"))
    }
    return [
        line for line in candidates if (line.hit.document in near if near else asked & line.years)
    ]

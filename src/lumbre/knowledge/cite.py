"""Find the sentence of a document that bears out a sentence of an answer, or none.

A quote must be near in meaning, share words or numbers, and its passage must state every
number the answer does: a model that changes a price or a year gets no citation for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lumbre.core.document import Hit, Span
from lumbre.knowledge.index import Index
from lumbre.knowledge.language import language_of
from lumbre.knowledge.numbers import stated, written
from lumbre.knowledge.terms import grams, stems
from lumbre.words import Language

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WORDS_WEIGHT = 0.3
_NUMBERS_WEIGHT = 0.3
_FLOOR = 0.45
"""Below this, a quote is about something else. Source: tests/knowledge/test_cite.py."""


@dataclass(frozen=True, slots=True, eq=False)
class Quote:
    """A sentence of a retrieved passage."""

    hit: Hit
    span: Span
    page: int | None
    text: str
    vector: "NDArray[np.float32]"


def quotes(index: Index, hits: Sequence[Hit]) -> list[Quote]:
    """Every sentence of these passages once, in order of the hits."""
    found: list[Quote] = []
    seen: set[tuple[str, int]] = set()
    for hit in hits:
        stored = index.stored(hit.document)
        if stored is None:
            continue
        for piece in index.sentences(hit.document, Span(hit.start, hit.end)):
            text = stored.parsed.text[piece.span.start : piece.span.end]
            page = stored.parsed.page_of(piece.span.start)
            if (hit.document, piece.span.start) not in seen:
                seen.add((hit.document, piece.span.start))
                found.append(Quote(hit, piece.span, page, text, piece.vector))
    return found


def stands(quote: Quote, index: Index) -> bool:
    """Whether the quote is, letter by letter, at its place in the text kept now."""
    stored = index.stored(quote.hit.document)
    if stored is None:
        return False
    return stored.parsed.text[quote.span.start : quote.span.end] == quote.text


def nearest(
    sentence: str,
    language: Language,
    vectors: "NDArray[np.float32]",
    candidates: Sequence[Quote],
) -> Quote | None:
    """The quote that bears out a sentence best, None when none does.

    `vectors`: one or more readings of the sentence, (readings, dimensions), unit length;
    their cosines are averaged.
    """
    claimed = written(sentence)
    best, best_score = None, _FLOOR
    for candidate in candidates:
        score = support(sentence, language, vectors, candidate)
        if score >= best_score and claimed <= stated(f"{candidate.hit.text}\n{candidate.text}"):
            best, best_score = candidate, score
    return best


def support(
    sentence: str, language: Language, vectors: "NDArray[np.float32]", candidate: Quote
) -> float:
    """How well a quote bears a sentence out: a cosine, up to 0.6 more for words and numbers."""
    cosine = float((vectors @ candidate.vector).mean())
    claimed = written(sentence)
    numbers = len(claimed & stated(candidate.text)) / len(claimed) if claimed else 0.0
    return (
        cosine + _WORDS_WEIGHT * shared(sentence, language, candidate) + _NUMBERS_WEIGHT * numbers
    )


def shared(sentence: str, language: Language, candidate: Quote) -> float:
    """The share of the sentence's terms that stand in the quote too."""
    other = language_of(candidate.text, candidate.hit.language)
    if other == language:
        mine, its = set(stems(sentence, language)), set(stems(candidate.text, language))
    else:
        mine, its = set(grams(sentence)), set(grams(candidate.text))
    return len(mine & its) / len(mine) if mine else 0.0

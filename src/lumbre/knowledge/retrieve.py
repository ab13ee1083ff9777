"""Find the passages that may carry the answer, in any of the languages they are in.

A passage's score is its closeness in meaning plus how well its words cover the question's.
Neither part is compared with the other passages found: a collection in three languages has
no common population to standardise over, and whole words of the question's language would
lift the best of the wrong passages over the right one in another language. Squaring the
coverage keeps chance matches small; docs/decisions/003-scores-without-z.md has the figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lumbre.core.document import Hit, Span
from lumbre.core.errors import NothingIndexed
from lumbre.knowledge.index import Index, is_within
from lumbre.knowledge.language import language_of
from lumbre.knowledge.matrix import Matrix
from lumbre.knowledge.speaks import Vectorises
from lumbre.knowledge.terms import grams, stems
from lumbre.words import Language

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_STEMS_WEIGHT = 0.4
_GRAMS_WEIGHT = 0.4
_GRAMS_ACROSS_WEIGHT = 0.45
"""Weights beside a cosine. Source: benchmarks/retrieval.py on the XQuAD dev half."""
_ACROSS_BONUS = 0.03
"""How much less a cosine is worth between two languages: the right paragraph's is 0.03 to
0.06 lower than in one language, the best wrong one's 0.01 to 0.04. Source: the same."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search gave."""

    hits: tuple[Hit, ...]
    """Best first."""
    dense: tuple[float, ...]
    """Per hit, the closeness in meaning alone."""
    stale: int
    """Documents searched by words alone, because their vectors are another model's."""


NOTHING = Found((), (), 0)


async def search(
    question: str,
    index: Index,
    vectors: Vectorises,
    *,
    top: int = 3,
    within: Sequence[str] = (),
    by_document: bool = False,
    fallback: Language = "en",
) -> Found:
    """The best passages, or the best passage of each of the best documents.

    `within`: absolute paths of files or folders to search in. `fallback`: the language of
    a question whose words do not tell.

    Raises:
        NothingIndexed: no document there can be searched.
    """
    import asyncio

    (vector,) = await vectors.embed([question])
    ask = _Ask(
        question=question,
        language=language_of(question, fallback),
        vector=vector,
        embedding=vectors.embedding_version,
        within=tuple(within),
    )
    return await asyncio.to_thread(_search, ask, index, top, by_document=by_document)


@dataclass(frozen=True, slots=True)
class _Ask:
    question: str
    language: Language
    vector: "NDArray[np.float32]"
    embedding: str
    within: tuple[str, ...]


def _search(ask: _Ask, index: Index, top: int, *, by_document: bool) -> Found:
    import numpy as np

    matrix = index.matrix(ask.embedding)
    wanted = [identity for identity, path in matrix.paths.items() if is_within(path, ask.within)]
    places = np.flatnonzero(np.isin(matrix.documents, wanted))
    if not len(places):
        raise NothingIndexed(where=", ".join(ask.within) or "/")
    dense = np.where(matrix.has_vector, matrix.dense(ask.vector), np.float32(0))
    scores = fused(
        dense,
        _spread(index.covered("stems", stems(ask.question, ask.language)), matrix),
        _spread(index.covered("grams", grams(ask.question)), matrix),
        matrix.languages == ask.language,
    )
    ranked = places[np.argsort(-scores[places], kind="stable")]
    if by_document:
        _, firsts = np.unique(matrix.documents[ranked], return_index=True)
        ranked = ranked[np.sort(firsts)]
    chosen = ranked[:top].tolist()
    return Found(
        hits=tuple(_hit(index, matrix, place, float(scores[place])) for place in chosen),
        dense=tuple(float(dense[place]) for place in chosen),
        stale=matrix.stale,
    )


def fused(
    dense: "NDArray[np.float32]",
    stems_covered: "NDArray[np.float32]",
    grams_covered: "NDArray[np.float32]",
    same_language: "NDArray[np.bool_]",
) -> "NDArray[np.float32]":
    """One score per passage; each argument has one row a passage.

    `dense` is a cosine, the coverages run from 0 to about 1.
    """
    import numpy as np

    grams_kept = np.clip(grams_covered, 0, 1)
    alike = _STEMS_WEIGHT * np.clip(stems_covered, 0, 1) ** 2 + _GRAMS_WEIGHT * grams_kept**2
    across = _GRAMS_ACROSS_WEIGHT * grams_kept + _ACROSS_BONUS
    scores: NDArray[np.float32] = dense + np.where(same_language, alike, across)
    return scores


def _spread(covered: dict[int, float], matrix: Matrix) -> "NDArray[np.float32]":
    import numpy as np

    spread = np.zeros(len(matrix.passages), np.float32)
    if covered:
        ids = np.fromiter(covered, np.int64, len(covered))
        places = np.searchsorted(matrix.passages, ids)
        # a passage added since the matrix was read has no row in it
        known = (places < len(spread)) & (
            matrix.passages[np.minimum(places, len(spread) - 1)] == ids
        )
        spread[places[known]] = np.fromiter(covered.values(), np.float32, len(covered))[known]
    return spread


def _hit(index: Index, matrix: Matrix, place: int, score: float) -> Hit:
    path = matrix.paths[int(matrix.documents[place])]
    stored = index.stored(path)
    start, end = (int(edge) for edge in matrix.spans[place])
    span = trimmed(stored.parsed.text, Span(start, end)) if stored else Span(start, start)
    language: Language = matrix.languages[place].item()
    return Hit(
        document=path,
        page=stored.parsed.page_of(span.start) if stored else None,
        start=span.start,
        end=span.end,
        text=stored.parsed.text[span.start : span.end] if stored else "",
        score=score,
        language=language,
    )


def trimmed(text: str, span: Span) -> Span:
    """The span without white space at its ends."""
    inside = text[span.start : span.end]
    start = span.start + len(inside) - len(inside.lstrip())
    return Span(start, max(start, span.start + len(inside.rstrip())))

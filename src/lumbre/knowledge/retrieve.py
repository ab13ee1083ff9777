"""Find the passages that may carry the answer, in any of the languages they are in.

A passage's score is its closeness in meaning plus how well its words cover the question's.
Neither part is compared with the other passages found: a collection in three languages has
no common population to standardise over, and whole words of the question's language would
lift the best of the wrong passages over the right one in another language. Squaring the
coverage keeps chance matches small; docs/decisions/003-scores-without-z.md has the figures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lumbre.core.document import Hit, Parsed, Span
from lumbre.core.errors import NothingIndexed
from lumbre.knowledge.closely import Asked, Rough, asked, look, telling_words
from lumbre.knowledge.closeness import cosines
from lumbre.knowledge.fusion import Evidence, fused
from lumbre.knowledge.index import Index, Moment, is_within
from lumbre.knowledge.language import language_of
from lumbre.knowledge.lexical import Wanted, covered, roughly, wanted
from lumbre.knowledge.likeness import has_likeness, signatures
from lumbre.knowledge.speaks import Vectorises
from lumbre.knowledge.tally import Kind, terms_of
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


_CLOSELY = 100
"""Passages that are looked at by sentence and by word."""

_KINDS: tuple[Kind, ...] = ("stems", "grams")


@dataclass(frozen=True, slots=True)
class Found:
    """What a search gave."""

    hits: tuple[Hit, ...]
    """Best first."""
    dense: tuple[float, ...]
    """Per hit, the closeness in meaning alone."""
    stale: int
    """Documents searched by words alone, because their vectors are another model's."""
    evidence: tuple[Evidence, ...] = ()
    """Per hit, what it is known by."""


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

    import numpy as np

    language = language_of(question, fallback)
    words = telling_words(question, language)
    alike = [word for word in words if has_likeness(word)]
    likes = await asyncio.to_thread(index.likes, alike, vectors.embedding_version)
    new = [word for word in alike if word not in likes]
    vector, *others = await vectors.embed([question, *new])
    likes |= zip(new, signatures(new, np.array(others, np.float32)), strict=True) if new else ()
    ask = Ask(
        question=question,
        language=language,
        vector=vector,
        words=asked(words, likes),
        embedding=vectors.embedding_version,
        within=tuple(within),
    )
    return await asyncio.to_thread(find, ask, index, top, by_document=by_document)


@dataclass(frozen=True, slots=True)
class Ask:
    """A question, made ready."""

    question: str
    language: Language
    vector: "NDArray[np.float32]"
    embedding: str
    words: Asked | None = None
    """Without them each word is only like its own forms."""
    within: tuple[str, ...] = ()
    candidates: int = 400
    """How many passages get an exact look, for each of the ways to be one."""
    exact_below: int = 2000
    """With no more passages than this to search in, all of them get one."""
    most_places: int = 30_000
    """Places in the word index that are looked at, for each kind of term."""


def find(
    ask: Ask,
    index: Index,
    top: int,
    *,
    by_document: bool = False,
    lap: Callable[[str], None] = lambda leg: None,
) -> Found:
    """`search` without the embedding; `lap` is told of each leg when it is done.

    Raises:
        NothingIndexed: no document there can be searched.
    """
    import numpy as np

    with index.moment(ask.embedding) as moment:
        matrix = moment.matrix
        lap("matrix")
        places = _places(moment, ask.within)
        if not len(places):
            raise NothingIndexed(where=", ".join(ask.within) or "/")
        terms = {
            kind: wanted(
                moment.connection,
                kind,
                sorted(set(terms_of(kind, ask.question, ask.language))),
                len(matrix),
                moment.counts,
            )
            for kind in _KINDS
        }
        lap("count terms")
        if len(places) > ask.exact_below:
            places = _candidates(ask, moment, terms, places, top, lap, by_document=by_document)
        whole, best = cosines(moment.connection, matrix, places, ask.vector)
        dense: NDArray[np.float32] = (whole + best) / np.float32(2)
        lap("vectors")
        stems = covered(moment.connection, terms["stems"], matrix, places)
        lap("stems")
        grams = covered(moment.connection, terms["grams"], matrix, places)
        lap("grams")
        same = matrix.is_in(ask.language)[places]
        near = _near(first_fused(dense, stems, grams, same), matrix.documents[places], top)
        lap("fusion")
        rough = Rough(whole[near], stems[near], grams[near], same[near])
        words = ask.words or asked(telling_words(ask.question, ask.language), {})
        features = look(
            moment.connection, matrix, places[near], ask.vector, words, rough, moment.memory
        )
        scores = fused(features)
        ranked = np.argsort(-scores, kind="stable")
        if by_document:
            ranked = ranked[_firsts(matrix.documents[places[near[ranked]]])]
        ranked = ranked[:top]
        lap("words")
        hits = _hits(moment, index, places[near[ranked]], scores[ranked])
        lap("texts")
        evidence = tuple(features.row(at, len(words.words)) for at in ranked.tolist())
        return Found(hits, tuple(dense[near[ranked]].tolist()), matrix.stale, evidence)


def _places(moment: Moment, within: tuple[str, ...]) -> "NDArray[np.int64]":
    """Rows of the passages to search in."""
    import numpy as np

    if not within:
        return np.arange(len(moment.matrix))
    rows = moment.connection.execute("SELECT id, path FROM documents WHERE reason = ''")
    inside = [identity for identity, path in rows if is_within(path, within)]
    return np.flatnonzero(np.isin(moment.matrix.document_ids, inside)[moment.matrix.documents])


def _candidates(
    ask: Ask,
    moment: Moment,
    terms: dict[Kind, Wanted],
    places: "NDArray[np.int64]",
    top: int,
    lap: Callable[[str], None],
    *,
    by_document: bool,
) -> "NDArray[np.int64]":
    """Rows, ascending, that are near the best by a rough score or by one of its parts."""
    import numpy as np

    matrix = moment.matrix
    dense = matrix.roughly(ask.vector)[places]
    lap("dense, roughly")
    stems = roughly(moment.connection, terms["stems"], matrix, ask.most_places)[places]
    lap("stems, roughly")
    grams = roughly(moment.connection, terms["grams"], matrix, ask.most_places)[places]
    lap("grams, roughly")
    rough = first_fused(
        np.maximum(dense, np.float32(0)), stems, grams, matrix.is_in(ask.language)[places]
    )
    count = min(max(ask.candidates, 2 * top), len(places))
    near = [_highest(score, count) for score in (rough, dense)]
    near += [_highest(part + dense * np.float32(0.01), count // 4) for part in (stems, grams)]
    if by_document:
        order = np.argsort(-rough, kind="stable")
        near.append(order[_firsts(matrix.documents[places[order]])[: 2 * top]])
    lap("choice")
    return places[np.unique(np.concatenate(near))]


def _highest(scores: "NDArray[np.float32]", count: int) -> "NDArray[np.int64]":
    import numpy as np

    if count >= len(scores):
        return np.arange(len(scores))
    return np.argpartition(scores, len(scores) - count)[len(scores) - count :]


def _firsts(values: "NDArray[np.int32]") -> "NDArray[np.int64]":
    """Where each value stands first."""
    import numpy as np

    _, firsts = np.unique(values, return_index=True)
    return np.sort(firsts)


def _near(
    scores: "NDArray[np.float32]", documents: "NDArray[np.int32]", top: int
) -> "NDArray[np.int64]":
    """Where the best passages are, and the best of each of the best documents."""
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    firsts = order[_firsts(documents[order])[: 2 * top]]
    return np.unique(np.concatenate([order[: max(_CLOSELY, 2 * top)], firsts]))


def first_fused(
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


def _hits(
    moment: Moment, index: Index, places: "NDArray[np.int64]", scores: "NDArray[np.float32]"
) -> tuple[Hit, ...]:
    query = (
        'SELECT d.path, p.start, p."end", p.language FROM passages AS p'
        " JOIN documents AS d ON d.id = p.document WHERE p.id = ?"
    )
    texts: dict[str, Parsed] = {}
    hits = []
    for identity, score in zip(moment.matrix.ids[places].tolist(), scores.tolist(), strict=True):
        ((path, start, end, language),) = moment.connection.execute(query, (identity,))
        if path not in texts:
            stored = index.stored(path)
            assert stored, "a passage of this moment has its document in it"
            texts[path] = stored.parsed
        parsed = texts[path]
        span = trimmed(parsed.text, Span(start, end))
        hits.append(
            Hit(
                document=path,
                page=parsed.page_of(span.start),
                start=span.start,
                end=span.end,
                text=parsed.text[span.start : span.end],
                score=score,
                language=language,
            )
        )
    return tuple(hits)


def trimmed(text: str, span: Span) -> Span:
    """The span without white space at its ends."""
    inside = text[span.start : span.end]
    start = span.start + len(inside) - len(inside.lstrip())
    return Span(start, max(start, span.start + len(inside.rstrip())))

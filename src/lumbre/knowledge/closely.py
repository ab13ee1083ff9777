"""Look closely at the hundred passages that may carry the answer: by sentence and by word.

How much a word of the question tells is counted in a sample of all passages: in how many of
them it stands, or a word like it, in any language.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import apsw

from lumbre.knowledge.filing import STORED
from lumbre.knowledge.fusion import Features
from lumbre.knowledge.likeness import likeness
from lumbre.knowledge.matrix import Matrix
from lumbre.knowledge.memory import Memory, Sample
from lumbre.knowledge.stopwords import asking, stop_words
from lumbre.knowledge.terms import stem
from lumbre.knowledge.wanted import asks_number
from lumbre.knowledge.wording import A_NUMBER, Wording, different, hashed, most, unpacked
from lumbre.words import Language

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SAMPLE = 500
"""Passages that words are counted in."""
_BESIDES = 100
"""Passages thought of besides, without any word of the question: else, in a folder of three
passages, a word that stands in one of them would tell nothing."""
_HEAD = 0.7
"""What a word in the first passage of the document is worth to the others: it says whose
contract this is, the others say what is in it. Chosen by hand, for the benchmark's documents
are of one passage: from 0.6 to 1 the examples' questions find the same."""
_LEAST = 0.1
"""What a word is worth, before, that stands everywhere."""
_MOST_WORDS = 300_000
"""Signatures kept in memory, 40 MB."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The words of a question that say something, and what each is like."""

    words: tuple[str, ...]
    stems: tuple[str, ...]
    signatures: "NDArray[np.uint8]"
    """(words, bytes); zeros for a word that is only like itself."""


def telling_words(question: str, language: Language) -> dict[str, str]:
    """The words of a question that say something, each with its stem; all if none does.

    And that there should be a number, where one is asked for.
    """
    said = different(question)
    stopped = stop_words(language) | asking(language)
    telling = [word for word in said if word not in stopped] or said
    found = {word: stem(word, language) for word in telling}
    return found | {A_NUMBER: A_NUMBER} if asks_number(question) else found


def asked(words: Mapping[str, str], likes: Mapping[str, bytes]) -> Asked:
    """Words with their stems, made ready; `likes`: what each is like that is like others."""
    import numpy as np

    width = max(map(len, likes.values()), default=0)
    rows = [likes.get(word, b"").ljust(width, b"\0") for word in words]
    table = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), width)
    return Asked(tuple(words), tuple(words.values()), table)


@dataclass(frozen=True, slots=True)
class Rough:
    """What is known of the passages before, one row each."""

    whole: "NDArray[np.float32]"
    stems: "NDArray[np.float32]"
    letters: "NDArray[np.float32]"
    same_language: "NDArray[np.bool_]"


def look(
    connection: apsw.Connection,
    matrix: Matrix,
    places: "NDArray[np.int64]",
    question: "NDArray[np.float32]",
    words: Asked,
    rough: Rough,
    memory: Memory,
) -> Features:
    """Everything known of these rows of the matrix.

    A passage without sentences, or of another embedding, is known by `rough` alone.
    """
    import numpy as np

    sample = memory.sample = _sample(connection, matrix, memory)
    heads = sample.heads[matrix.documents[places]]
    rows, first, past = _sentences(matrix, np.concatenate([places, heads]))
    wording = _wording(connection, matrix.sentence_ids[rows])
    by_sentence = wording.widest(_alike(words, wording, *_signatures(connection, wording, memory)))
    by_head = most(by_sentence, first[len(places) :], past[len(places) :])
    by_sentence = _with_head(by_sentence, by_head * (heads != places), first, past)
    by_passage = most(by_sentence, first[: len(places)], past[: len(places)])
    first, past = first[: len(places)], past[: len(places)]
    worth = _worth(sample, words)
    sentence, pair = _closest(connection, matrix, places, question, rough.whole)
    known = first < past
    return Features(
        whole=rough.whole,
        sentence=sentence,
        pair=pair,
        letters=rough.letters,
        covered=np.where(known, _share(worth, by_passage), rough.stems),
        covered_sentence=np.where(
            known, most(_share(worth, by_sentence)[None], first, past)[0], rough.stems
        ),
        same_language=rough.same_language,
    )


def _share(worth: "NDArray[np.float32]", found: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Not by BLAS: there a column's sum depends on how many columns there are."""
    share: NDArray[np.float32] = (worth[:, None] * found).sum(axis=0)
    return share


def _with_head(
    by_sentence: "NDArray[np.float32]",
    by_head: "NDArray[np.float32]",
    first: "NDArray[np.int64]",
    past: "NDArray[np.int64]",
) -> "NDArray[np.float32]":
    """What sentences have of each word, or in part the first passage of their document."""
    import numpy as np

    found = by_sentence.copy()
    for place, head in enumerate(by_head.T):
        mine = found[:, first[place] : past[place]]
        np.maximum(mine, np.float32(_HEAD) * head[:, None], out=mine)
    return found


def _sentences(
    matrix: Matrix, places: "NDArray[np.int64]"
) -> "tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]":
    """Rows of the sentences in these passages; per passage its first of them and past its last."""
    import numpy as np

    ranges = matrix.ranges[places].astype(np.int64)
    ranges[ranges[:, 0] >= ranges[:, 1]] = 0
    rows = np.unique(
        np.concatenate([np.zeros(0, np.int64), *(np.arange(a, b) for a, b in ranges.tolist())])
    )
    at = np.searchsorted(rows, ranges)
    return rows, at[:, 0], at[:, 1]


def _wording(connection: apsw.Connection, ids: "NDArray[np.int64]") -> Wording:
    query = (
        "SELECT coalesce(w.words, x'') FROM carray(?) AS c"
        " LEFT JOIN sentence_words AS w ON w.sentence = c.value"
    )
    return unpacked([row[0] for row in _rows(connection, query, ids)])


def _rows(
    connection: apsw.Connection, query: str, ids: "NDArray[np.int64]", *more: str
) -> list[tuple[Any, ...]]:
    import numpy as np

    if not len(ids):
        return []  # an array of nothing cannot be handed to SQLite
    return list(connection.execute(query, (apsw.carray(np.ascontiguousarray(ids)), *more)))


def _alike(
    words: Asked, wording: Wording, at: "NDArray[np.int64]", known: "NDArray[np.uint8]"
) -> "NDArray[np.float32]":
    """(words of the question, words of the wording): how alike; 1 for forms of one word.

    `at`: per word of the wording, its row in `known`.
    """
    import numpy as np

    stems = np.array([hashed(stem) for stem in words.stems], np.uint32)
    said = np.array([hashed(word) for word in words.words], np.uint32)
    same = (wording.stems == stems[:, None]) | (wording.said == said[:, None])
    alike: NDArray[np.float32] = same.astype(np.float32)
    if known.size and words.signatures.shape[1] == known.shape[1]:
        np.maximum(alike, likeness(words.signatures, known)[:, at], out=alike)
    return alike


def _signatures(
    connection: apsw.Connection, wording: Wording, memory: Memory
) -> "tuple[NDArray[np.int64], NDArray[np.uint8]]":
    """Per word of the wording its row in the second, which has zeros for one without."""
    import numpy as np

    unique, at = np.unique(wording.said, return_inverse=True)
    wanted = unique.astype(np.int64)
    known = memory.signatures
    if len(known.hashes) > _MOST_WORDS:
        known = Memory(memory.embedding).signatures
    missing = wanted[known.places(wanted) < 0]
    query = (
        "SELECT w.hash, w.signature FROM carray(?) AS c"
        " CROSS JOIN words AS w ON w.hash = c.value AND w.embedding = ?"
    )
    known = memory.signatures = known.having(_rows(connection, query, missing, memory.embedding))
    places = known.places(wanted)
    if not len(known.rows):
        return at, np.zeros((len(wanted), 0), np.uint8)
    rows = known.rows[places]
    rows[places < 0] = 0
    return at, rows


def _sample(connection: apsw.Connection, matrix: Matrix, memory: Memory) -> Sample:
    """Of the matrix as it is now."""
    import numpy as np

    last = memory.sample
    if last is not None and last.mark == matrix.mark:
        return last
    count = min(len(matrix), _SAMPLE)
    rows, first, past = _sentences(
        matrix, np.unique(np.linspace(0, len(matrix) - 1, count).astype(np.int64))
    )
    heads = np.zeros(len(matrix.document_ids), np.int64)
    with_passages, firsts = np.unique(matrix.documents, return_index=True)
    heads[with_passages] = firsts
    wording = _wording(connection, matrix.sentence_ids[rows])
    at, known = _signatures(connection, wording, memory)
    return Sample(matrix.mark, wording, first, past, at, known, heads)


def _worth(sample: Sample, words: Asked) -> "NDArray[np.float32]":
    """What each word is worth, together 1: more if few passages of the sample have its like."""
    alike = _alike(words, sample.wording, sample.at, sample.signatures)
    having = most(sample.wording.widest(alike), sample.first, sample.past).sum(axis=1)
    return rarity(having, len(sample.first))


def rarity(having: "NDArray[np.float32]", of: int) -> "NDArray[np.float32]":
    """What words are worth that so many passages have, together 1: the rare ones more."""
    import numpy as np

    told = np.maximum(_LEAST, np.log((of + _BESIDES) / (having + 1)))
    worth: NDArray[np.float32] = (told / told.sum()).astype(np.float32)
    return worth


def _closest(
    connection: apsw.Connection,
    matrix: Matrix,
    places: "NDArray[np.int64]",
    question: "NDArray[np.float32]",
    whole: "NDArray[np.float32]",
) -> "tuple[NDArray[np.float32], NDArray[np.float32]]":
    """Per passage the cosine of its closest sentence, and of its closest two neighbours."""
    import numpy as np

    rows, first, past = _sentences(matrix, places)
    query = "SELECT s.vector FROM carray(?) AS c CROSS JOIN sentences AS s ON s.id = c.value"
    kept = [row[0] for row in _rows(connection, query, matrix.sentence_ids[rows])]
    if not kept:
        return whole, whole
    vectors = np.frombuffer(b"".join(kept), STORED).reshape(len(kept), -1).astype(np.float32)
    each = np.einsum("ij,j->i", vectors, question)
    # two unit vectors together have the length root of (2 + 2 times their cosine)
    between = (vectors[:-1] * vectors[1:]).sum(axis=1)
    both = (each[:-1] + each[1:]) / np.sqrt(np.maximum(2 + 2 * between, 1e-6))
    # shifted to above 0, for no sentence counts as 0
    single = most((each + 2)[None], first, past)[0] - 2
    double = most((both + 2)[None], first, np.maximum(first, past - 1))[0] - 2
    known = first < past
    sentence = np.where(known, single, whole)
    return sentence, np.where(known, np.maximum(single, double), whole)

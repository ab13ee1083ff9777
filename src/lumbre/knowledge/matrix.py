"""The vectors of all documents in memory, as they were at one generation of the database."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lumbre.store import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STORED = "<f2"
"""Vectors take two bytes a number in the database. Halving them moves no cosine by more
than 0.001 (tests/knowledge/test_index.py) and saves 9 of 18 kB a passage."""

_BLOCK = 8192
"""Rows widened to float32 at a time: they stay in the processor's cache, 16 MB at 512."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Passages in order of id, sentences in order of document and place."""

    generation: int
    embedding: str
    passages: "NDArray[np.int64]"
    """Ids, ascending."""
    documents: "NDArray[np.int64]"
    """Document of each passage."""
    spans: "NDArray[np.int64]"
    """(passages, 2) start and end."""
    languages: "NDArray[np.str_]"
    """Language of each passage."""
    paths: dict[int, str]
    """Document id -> path."""
    has_vector: "NDArray[np.bool_]"
    """Whether the passage's vector is of this embedding; else it is searched by words."""
    vectors: "NDArray[np.float16]"
    """(passages, dimensions); zeros where there is none."""
    sentences: "NDArray[np.float16]"
    """(sentences, dimensions)"""
    ranges: "NDArray[np.int64]"
    """(passages, 2): which sentences stand in each, first and past the last."""
    stale: int = field(default=0)
    """Documents whose vectors are another model's."""

    def dense(self, question: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """Per passage the mean of its cosine and its best sentence's."""
        import numpy as np

        if not len(self.sentences):
            return np.zeros(len(self.passages), np.float32)
        whole = _cosines(self.vectors, question)
        each = np.append(_cosines(self.sentences, question), np.float32(-1))
        best = np.maximum.reduceat(each, np.minimum(self.ranges, len(each) - 1).ravel())[::2]
        best = np.where(self.ranges[:, 0] < self.ranges[:, 1], best, whole)
        means: NDArray[np.float32] = ((whole + best) / 2).astype(np.float32)
        return means


def load(store: Store, embedding: str) -> Matrix:
    """Read every vector of one embedding, in one transaction."""
    import numpy as np

    with store.reading() as connection, connection:
        ((generation,),) = connection.execute("SELECT generation FROM knowledge_generation")
        kept = list(
            connection.execute("SELECT id, path, embedding FROM documents WHERE reason = ''")
        )
        passages = list(
            connection.execute(
                'SELECT id, document, start, "end", language, vector FROM passages ORDER BY id'
            )
        )
        sentences = list(
            connection.execute(
                'SELECT document, start, "end", vector FROM sentences ORDER BY document, start'
            )
        )
    current = {identity for identity, _, version in kept if version == embedding}
    sentences = [row for row in sentences if row[0] in current]
    owners = np.array([row[1] for row in passages], np.int64)
    has_vector = np.isin(owners, list(current))
    blobs = [row[5] for row, own in zip(passages, has_vector, strict=True) if own]
    width = len(blobs[0]) // 2 if blobs else 0
    vectors = np.zeros((len(passages), width), np.float16)
    vectors[has_vector] = _stacked(blobs, width)
    spans = np.array([row[2:4] for row in passages], np.int64).reshape(-1, 2)
    return Matrix(
        generation=int(generation),
        embedding=embedding,
        passages=np.array([row[0] for row in passages], np.int64),
        documents=owners,
        spans=spans,
        languages=np.array([row[4] for row in passages], np.str_),
        paths={identity: path for identity, path, _ in kept},
        has_vector=has_vector,
        vectors=vectors,
        sentences=_stacked([row[3] for row in sentences], width),
        ranges=_ranges(owners, spans, [(row[0], row[1], row[2]) for row in sentences]),
        stale=len(kept) - len(current),
    )


def _stacked(blobs: list[bytes], width: int) -> "NDArray[np.float16]":
    import numpy as np

    return np.frombuffer(b"".join(blobs), STORED).reshape(len(blobs), width)


def _ranges(
    owners: "NDArray[np.int64]",
    spans: "NDArray[np.int64]",
    sentences: list[tuple[int, int, int]],
) -> "NDArray[np.int64]":
    """Per passage the sentences that stand whole in it, or begin in it if none does."""
    from bisect import bisect_left

    import numpy as np

    starts = [(document, start) for document, start, _ in sentences]
    ends = [(document, end) for document, _, end in sentences]
    found = []
    for document, (start, end) in zip(owners.tolist(), spans.tolist(), strict=True):
        first = bisect_left(starts, (document, start))
        past = bisect_left(ends, (document, end + 1))
        if first >= past:
            past = bisect_left(starts, (document, end))
        found.append((first, past))
    return np.array(found, np.int64).reshape(-1, 2)


def _cosines(rows: "NDArray[np.float16]", question: "NDArray[np.float32]") -> "NDArray[np.float32]":
    import numpy as np

    found = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        found[start : start + len(block)] = block.astype(np.float32) @ question
    return found

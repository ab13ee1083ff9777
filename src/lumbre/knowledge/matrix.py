"""Which passages are close in meaning, told from one bit a number: all of them in a few ms.

The rows of a `Matrix` are derived from the database and kept in a mapped file beside it.
A document's rows carry the generation that brought it, so that a change costs the reading
of the changed documents alone.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lumbre.knowledge import mapped
from lumbre.knowledge.filing import STORED
from lumbre.words import LANGUAGES, Language

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WORD_BITS = 64
_BLOCK = 16_384
"""Rows compared at a time: what they need stays in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Documents and passages by id, sentences by document and place."""

    mark: int
    """Of the database's moment that it was made from."""
    embedding: str
    document_ids: "NDArray[np.int64]"
    document_marks: "NDArray[np.int64]"
    """A document's rows never change under one."""
    document_is_current: "NDArray[np.bool_]"
    """Whether its vectors are of this embedding; else it is searched by words."""
    document_sentences: "NDArray[np.int64]"
    """How many it has."""
    ids: "NDArray[np.int64]"
    """Of passages; ascending."""
    documents: "NDArray[np.int32]"
    """By passage, the row of its document."""
    languages: "NDArray[np.int8]"
    """By passage, the place of its language in LANGUAGES."""
    totals: "NDArray[np.int32]"
    """(2, passages): stems and grams in each."""
    ranges: "NDArray[np.int32]"
    """(passages, 2): which sentences stand in each, first and past the last."""
    bits: "NDArray[np.uint64]"
    """(words of 64 bits, passages): signs of the vector's numbers."""
    sentence_ids: "NDArray[np.int64]"
    sentence_bits: "NDArray[np.uint64]"
    """(words of 64 bits, sentences)"""
    kept: mapped.Mapped

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def stale(self) -> int:
        """Documents whose vectors are another model's."""
        return int((~self.document_is_current).sum())

    @property
    def has_vector(self) -> "NDArray[np.bool_]":
        """By passage."""
        found: NDArray[np.bool_] = self.document_is_current[self.documents]
        return found

    def is_in(self, language: Language) -> "NDArray[np.bool_]":
        """By passage."""
        found: NDArray[np.bool_] = self.languages == LANGUAGES.index(language)
        return found

    def places(self, ids: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Rows of passages by id; ids that are not here are left out."""
        import numpy as np

        if not len(self):
            return np.zeros(0, np.int64)
        at = np.minimum(np.searchsorted(self.ids, ids), len(self) - 1)
        found: NDArray[np.int64] = at[self.ids[at] == ids]
        return found

    def roughly(self, question: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """Per passage about the mean of its cosine and its best sentence's; -1 without vector."""
        import numpy as np

        if not len(self.bits):
            return np.full(len(self), -1, np.float32)
        asked = bits(question[None, :].astype(STORED))[:, 0]
        whole = _differing(self.bits, asked)
        each = np.append(_differing(self.sentence_bits, asked), np.uint16(_WORD_BITS * len(asked)))
        best = np.minimum.reduceat(each, self.ranges.ravel())[::2]
        best = np.where(self.ranges[:, 0] < self.ranges[:, 1], best, whole)
        angles = (whole.astype(np.float32) + best) * np.float32(np.pi / 2 / len(question))
        return np.where(self.has_vector, np.cos(angles), np.float32(-1)).astype(np.float32)


def of(kept: mapped.Mapped | None, embedding: str) -> Matrix | None:
    """The matrix in a file, if it is this embedding's."""
    if kept is None or kept.facts["embedding"] != embedding:
        return None
    return Matrix(kept.facts["mark"], embedding, **kept.arrays, kept=kept)


def bits(vectors: "NDArray[np.float16]") -> "NDArray[np.uint64]":
    """The signs of (rows, dimensions) vectors: (words, rows), the last word filled up."""
    import numpy as np

    rows, dimensions = vectors.shape
    words = -(-dimensions // _WORD_BITS)
    signs = np.zeros((rows, words * _WORD_BITS), np.bool_)
    signs[:, :dimensions] = vectors.view(np.int16) < 0
    packed = np.packbits(signs, axis=1).view(np.uint64)
    return np.ascontiguousarray(packed.reshape(rows, words).T)


def _differing(columns: "NDArray[np.uint64]", asked: "NDArray[np.uint64]") -> "NDArray[np.uint16]":
    """In how many bits each row differs from the one asked for."""
    import numpy as np

    counted = np.zeros(columns.shape[1], np.uint16)
    for start in range(0, len(counted), _BLOCK):
        block = columns[:, start : start + _BLOCK]
        into = counted[start : start + _BLOCK]
        for column, word in zip(block, asked, strict=True):
            into += np.bitwise_count(column ^ word)
    return counted

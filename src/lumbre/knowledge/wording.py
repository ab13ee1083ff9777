"""Which words stand in a sentence, as numbers that thousands of sentences are read by at once.

Each word is kept twice, as it is and by its stem: the first finds what the word is like,
the second meets the other forms of the word.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import pack
from typing import TYPE_CHECKING
from zlib import crc32

from lumbre.knowledge.terms import LONGEST_WORD, stem, words
from lumbre.words import Language

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WORDS = "<u4"
"""CRC-32 of UTF-8. Two words of a question's passages share one by chance once in millions."""


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of many stretches of text, one stretch after the other."""

    said: "NDArray[np.uint32]"
    stems: "NDArray[np.uint32]"
    starts: "NDArray[np.int64]"
    """Where each stretch begins, and past the last."""

    def widest(self, found: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """Of (words of a question, words): the most in each stretch, 0 in one without words."""
        return most(found, self.starts[:-1], self.starts[1:])


def most(
    found: "NDArray[np.float32]", first: "NDArray[np.int64]", past: "NDArray[np.int64]"
) -> "NDArray[np.float32]":
    """Per row the greatest of the columns from each first to before its past, 0 of none."""
    import numpy as np

    padded = np.concatenate([found, np.zeros((len(found), 1), found.dtype)], axis=1)
    if not len(first):
        return padded[:, :0]
    edges = np.stack([first, past], axis=1).ravel()
    reduced: NDArray[np.float32] = np.maximum.reduceat(padded, edges, axis=1)[:, ::2]
    return np.where(first < past, reduced, 0).astype(np.float32)


_DIGIT = re.compile(r"\d")
A_NUMBER = "#"
"""Stands among the words of a text that has any number."""


def different(text: str) -> list[str]:
    """The words of a text in order, each once; what is too long is none."""
    said = dict.fromkeys(words(text))
    if max(map(len, said), default=0) <= LONGEST_WORD:
        return list(said)
    return [word for word in said if len(word) <= LONGEST_WORD]


def hashed(word: str) -> int:
    """A word or stem as it is kept."""
    return crc32(word.encode())


def packed(text: str, language: Language) -> bytes:
    """What is kept of a sentence: its different words, then their stems."""
    said = different(text)
    if _DIGIT.search(text):
        said.append(A_NUMBER)
    numbers = [_numbers(word, language) for word in said]
    return pack(
        f"<{2 * len(numbers)}I", *(one for one, _ in numbers), *(other for _, other in numbers)
    )


@lru_cache(maxsize=65_536)
def _numbers(word: str, language: Language) -> tuple[int, int]:
    return hashed(word), hashed(stem(word, language))


def unpacked(kept: Sequence[bytes]) -> Wording:
    """The words of sentences as they were packed."""
    import numpy as np

    lengths = np.array([len(row) // 4 for row in kept], np.int64)
    every = np.frombuffer(b"".join(kept), WORDS)
    begins = np.cumsum(lengths) - lengths
    halves = lengths // 2
    is_word = np.arange(len(every)) - np.repeat(begins, lengths) < np.repeat(halves, lengths)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(halves)])
    return Wording(every[is_word], every[~is_word], starts)

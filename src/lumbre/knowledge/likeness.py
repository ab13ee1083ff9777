"""How alike two words are, in meaning or in sound, whatever languages they belong to.

The embedding puts "market", "mercado" and "рынок" near each other, one word at a time, and
names are near each other by their letters. A word is kept as the signs of its vector and a
small table of its letter groups, and thousands of words are compared in a millisecond.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from zlib import crc32

from lumbre.knowledge.terms import grams

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_GRAM_BYTES = 32
_NEAR, _SAME = 0.5, 0.9
"""Cosines of words: below the first they have nothing to do with each other, above the second
one translates the other. Source: benchmarks/retrieval.py on the XQuAD dev half."""
_SOUNDS_NEAR, _SOUNDS_SAME = 0.4, 0.8
"""The same for the share of letter groups that two words have in common."""


def has_likeness(word: str) -> bool:
    """Whether a word may be like another one. A number is not: 1997 is not nearly 1999."""
    return word.isalpha()


def signatures(words: Sequence[str], vectors: "NDArray[np.float32]") -> list[bytes]:
    """What is kept of each word: 32 bytes of letter groups, one bit a dimension of meaning."""
    import numpy as np

    meanings = np.packbits(vectors > 0, axis=1)
    return [
        _gram_bits(grams(word)) + meaning.tobytes()
        for word, meaning in zip(words, meanings, strict=True)
    ]


def _gram_bits(found: Iterable[str]) -> bytes:
    table = bytearray(_GRAM_BYTES)
    for gram in found:
        at = crc32(gram.encode()) % (8 * _GRAM_BYTES)
        table[at // 8] |= 1 << at % 8
    return bytes(table)


def likeness(asked: "NDArray[np.uint8]", known: "NDArray[np.uint8]") -> "NDArray[np.float32]":
    """Per row of `asked` and row of `known`, both signatures: 0, unlike, to 1, the same.

    A row of zeros is like nothing.
    """
    import numpy as np

    heard, theirs = (_columns(rows[:, :_GRAM_BYTES]) for rows in (asked, known))
    meant, their_meaning = (_columns(rows[:, _GRAM_BYTES:]) for rows in (asked, known))
    sizes = _counted(heard), _counted(theirs)
    by_signs = _by_signs(8 * (asked.shape[1] - _GRAM_BYTES))
    found = np.empty((len(asked), len(known)), np.float32)
    for row in range(len(asked)):
        shared = (
            2 * _counted(theirs & heard[:, row, None]) / np.maximum(1, sizes[0][row] + sizes[1])
        )
        sounds = (shared - _SOUNDS_NEAR) / (_SOUNDS_SAME - _SOUNDS_NEAR)
        found[row] = np.maximum(by_signs[_counted(their_meaning ^ meant[:, row, None])], sounds)
    found[:, sizes[1] == 0] = 0
    found[sizes[0] == 0] = 0
    clipped: NDArray[np.float32] = np.clip(found, 0, 1)
    return clipped


def _by_signs(dimensions: int) -> "NDArray[np.float32]":
    """Likeness by how many signs differ.

    Source: M. Charikar, Similarity estimation techniques from rounding algorithms, 2002:
    the angle between two vectors is about pi times the share of signs in which they differ.
    """
    import numpy as np

    cosines = np.cos(np.pi * np.arange(dimensions + 1) / max(1, dimensions))
    return ((cosines - _NEAR) / (_SAME - _NEAR)).astype(np.float32)


def _columns(rows: "NDArray[np.uint8]") -> "NDArray[np.uint64]":
    """(words of 64 bits, rows), the last word filled up: columns are summed faster than rows."""
    import numpy as np

    wide = np.zeros((len(rows), -(-rows.shape[1] // 8) * 8), np.uint8)
    wide[:, : rows.shape[1]] = rows
    return np.ascontiguousarray(wide.view(np.uint64).T)


def _counted(columns: "NDArray[np.uint64]") -> "NDArray[np.uint16]":
    """Bits that are set in each row."""
    import numpy as np

    counted: NDArray[np.uint16] = np.bitwise_count(columns).sum(axis=0, dtype=np.uint16)
    return counted

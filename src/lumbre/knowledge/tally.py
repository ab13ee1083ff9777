"""Count a passage's stems and letter groups, in a form that thousands are compared in at once.

A term is kept as the CRC-32 of its UTF-8 bytes. No two groups of four plain letters share
one; a passage has a long term of the question by mere chance once in 100,000 passages.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from zlib import crc32

from lumbre.knowledge import terms
from lumbre.words import Language

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Kind = Literal["stems", "grams"]

HASHED = "<u4"
_MOST_TIMES = 255


@dataclass(frozen=True, slots=True)
class Tally:
    """The terms of one kind in one text."""

    hashes: bytes
    """`HASHED`, in no order."""
    times: bytes
    """One byte a hash: how often it stands there, at most 255."""
    total: int
    """Terms, repeated ones counted."""
    words: str
    """The terms themselves, each once, for the word index."""


def terms_of(kind: Kind, text: str, language: Language) -> list[str]:
    """The terms of a text, in order, repeated as in it."""
    return terms.stems(text, language) if kind == "stems" else terms.grams(text)


def tally(kind: Kind, text: str, language: Language) -> Tally:
    """Count the terms of a text."""
    found = terms_of(kind, text, language)
    counted = Counter(found)
    times = counted.values()
    return Tally(
        hashes=hashed(counted).tobytes(),
        times=bytes(times if max(times, default=0) <= _MOST_TIMES else map(_capped, times)),
        total=len(found),
        words=" ".join(counted),
    )


@dataclass(frozen=True, slots=True)
class Terms:
    """What a passage is found by besides its meaning."""

    stems: Tally
    grams: Tally


def terms_in(text: str, language: Language) -> Terms:
    """The terms of a passage."""
    return Terms(tally("stems", text, language), tally("grams", text, language))


def _capped(times: int) -> int:
    return min(times, _MOST_TIMES)


def hashed(found: Iterable[str]) -> "NDArray[np.uint32]":
    """Terms as they are kept, in the order given."""
    import numpy as np

    return np.array([crc32(term.encode()) for term in found], HASHED)

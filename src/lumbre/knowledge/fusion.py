"""What a passage is worth as a place to look for the answer, from everything known of it.

Meaning is a cosine; words are a share of the question's words, the rare ones weighing
most. Nothing is compared with the other passages found: docs/decisions/003 says why, and
docs/decisions/008 has what each part is worth.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Column = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of one passage: `Features`, its score, and the question's length."""

    score: float
    asked_words: int
    """Words of the question that say something."""
    whole: float
    sentence: float
    pair: float
    letters: float
    covered: float
    covered_sentence: float
    same_language: bool


@dataclass(frozen=True, slots=True)
class Features:
    """What is known of passages, one row each. Cosines, then shares from 0 to about 1."""

    whole: "Column"
    """The passage's closeness in meaning."""
    sentence: "Column"
    """Its closest sentence's."""
    pair: "Column"
    """Its closest two sentences', one after the other."""
    letters: "Column"
    """The question's letter groups that stand in it."""
    covered: "Column"
    """The question's words that it has, or words like them, in any language."""
    covered_sentence: "Column"
    """The same for one sentence of it."""
    same_language: "NDArray[np.bool_]"
    """Whether it is in the question's language."""

    @classmethod
    def of(cls, evidence: Sequence[Evidence]) -> "Features":
        """Rows that were taken out by `row`."""
        import numpy as np

        return cls(*(np.array([getattr(one, f.name) for one in evidence]) for f in fields(cls)))

    def row(self, at: int, asked_words: int) -> Evidence:
        """What is known of one of them, in plain numbers."""
        values = {f.name: getattr(self, f.name)[at].item() for f in fields(self)}
        return Evidence(score=float(fused(self)[at]), asked_words=asked_words, **values)


MEANING = (0.498, 0.224, 0.279)
"""Whole, sentence, pair: in one language they add up to a cosine."""
WORDS = (0.192, 0.304, 0.214)
"""Letters, covered, covered in a sentence; each squared, for chance matches are small."""
MEANING_ACROSS = (0.578, 0.339, 0.375)
WORDS_ACROSS = (0.115, 0.425, 0.314)
BONUS_ACROSS = -0.074
"""Between two languages. Source of all: benchmarks/retrieval.py on the XQuAD dev half."""


def fused(features: Features) -> "Column":
    """One score per passage: about 0 for what is far off, 1 and more for the right place."""
    import numpy as np

    columns = parts(features)
    alike, across = (
        (columns * np.array(weights, np.float32)).sum(axis=1)
        for weights in ((*MEANING, *WORDS), (*MEANING_ACROSS, *WORDS_ACROSS))
    )
    scores: Column = np.where(features.same_language, alike, across + BONUS_ACROSS).astype(
        np.float32
    )
    return scores


def parts(features: Features) -> "NDArray[np.float32]":
    """(passages, 6): what the weights are weights of, in their order."""
    import numpy as np

    words = (features.letters, features.covered, features.covered_sentence)
    columns = [features.whole, features.sentence, features.pair]
    columns += [np.clip(share, 0, 1) ** 2 for share in words]
    return np.stack(columns, axis=1).astype(np.float32)

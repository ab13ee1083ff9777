"""What is worth remembering between questions about the words of the documents."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lumbre.knowledge.wording import Wording

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Sample:
    """The words of passages taken evenly from all, and where documents begin."""

    mark: int
    """Of the matrix whose passages these are."""
    wording: Wording
    """By sentence."""
    first: "NDArray[np.int64]"
    """Per passage, its first sentence."""
    past: "NDArray[np.int64]"
    """Past its last."""
    heads: "NDArray[np.int64]"
    """Per row of a document, the row of its first passage."""


@dataclass(slots=True)
class Memory:
    """Under one embedding."""

    embedding: str
    signatures: dict[int, bytes] = field(default_factory=dict)
    """By hash of a word: what it is like. Never changes."""
    sample: Sample | None = None

"""What is worth remembering between questions about the words of the documents."""

from collections.abc import Sequence
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
    at: "NDArray[np.int64]"
    """Per word of the wording, its row in `signatures`."""
    signatures: "NDArray[np.uint8]"
    heads: "NDArray[np.int64]"
    """Per row of a document, the row of its first passage."""


@dataclass(frozen=True, slots=True)
class Signatures:
    """What words are like; under one embedding that never changes."""

    hashes: "NDArray[np.int64]"
    """Ascending."""
    rows: "NDArray[np.uint8]"

    def having(self, more: Sequence[tuple[int, bytes]]) -> "Signatures":
        """These, and others."""
        import numpy as np

        if not more:
            return self
        hashes = np.array([number for number, _ in more], np.int64)
        rows = np.frombuffer(b"".join(row for _, row in more), np.uint8).reshape(len(more), -1)
        if len(self.hashes):
            hashes = np.concatenate([self.hashes, hashes])
            rows = np.concatenate([self.rows, rows])
        order = np.argsort(hashes)
        return Signatures(hashes[order], rows[order])

    def places(self, wanted: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Per hash its row, -1 where there is none."""
        import numpy as np

        if not len(self.hashes):
            return np.full(len(wanted), -1)
        at = np.minimum(np.searchsorted(self.hashes, wanted), len(self.hashes) - 1)
        return np.where(self.hashes[at] == wanted, at, -1)


def _none() -> Signatures:
    import numpy as np

    return Signatures(np.zeros(0, np.int64), np.zeros((0, 0), np.uint8))


@dataclass(slots=True)
class Memory:
    """Under one embedding."""

    embedding: str
    signatures: Signatures = field(default_factory=_none)
    sample: Sample | None = None

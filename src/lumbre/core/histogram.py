"""How often something took how long: counts by upper bounds, as a histogram keeps them."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Bounds for waits and answers: from a warm small model to a cold large one."""
MILLISECONDS = tuple(1000 * bound for bound in SECONDS)


@dataclass(slots=True)
class Histogram:
    """Values counted by the first bound that they do not pass."""

    bounds: Sequence[float] = SECONDS
    """Growing; one more bucket holds what passes the last."""
    total: float = 0.0
    """Of all values."""
    counts: list[int] = field(default_factory=list)
    """By bucket, what passes the last bound at the end."""

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def up_to(self) -> Iterator[tuple[float, int]]:
        """Each bound with the number of values that do not pass it; the last is infinite."""
        count = 0
        for bound, here in zip((*self.bounds, float("inf")), self.counts, strict=True):
            count += here
            yield bound, count

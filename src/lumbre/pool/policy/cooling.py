"""How long a model that failed is left alone, so that nobody retries it in a storm. Pure."""

from dataclasses import dataclass

FIRST_S, MOST_S = 2.0, 300.0
"""After the first failure, doubled with each that follows, up to the second."""


@dataclass(frozen=True, slots=True)
class Cooling:
    """A model that failed."""

    failures: int
    """In a row."""
    until: float
    worker: int
    """The last one that failed: what it said is the reason."""
    made_of: str = ""
    """`Terms.made_of` of that one."""


def failed(
    before: Cooling | None, now: float, worker: int, made_of: str, *, had_served: bool
) -> Cooling:
    """After one more failure: a start that came to nothing, or the death of one that served.

    A single death costs no wait: the next one who asks gets a new worker at once.
    """
    failures = (before.failures if before and before.made_of == made_of else 0) + 1
    doublings = failures - (2 if had_served else 1)
    delay_s = 0.0 if doublings < 0 else min(FIRST_S * 2.0 ** min(doublings, 30), MOST_S)
    return Cooling(failures, now + delay_s, worker, made_of)

"""How often a model was asked for lately, so that the one to be missed least is stopped."""

from dataclasses import dataclass

_KEPT = 16
"""Gaps: enough to tell a rate, few enough to forget what a model was used for last week."""
_NEVER_EXPECTED_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Use:
    """When a model was asked for."""

    expected_gap_s: float
    """Between two requests, before any was seen."""
    last: float | None = None
    """When it was asked for last."""
    gaps_s: tuple[float, ...] = ()
    """Between the latest requests, oldest first."""

    @classmethod
    def expected(cls, requests_per_hour: float) -> "Use":
        """Of a model nobody asked for yet."""
        return cls(3600.0 / requests_per_hour if requests_per_hour > 0 else _NEVER_EXPECTED_S)


def asked(use: Use, now: float) -> Use:
    """After one more request."""
    if use.last is None:
        return Use(use.expected_gap_s, now)
    gap_s = max(0.0, now - use.last)
    return Use(use.expected_gap_s, now, (*use.gaps_s, gap_s)[-_KEPT:])

"""How often a model is asked for lately, so that the one to be missed least is stopped. Pure."""

from dataclasses import dataclass

_REMEMBERED = 32
"""Gaps: an older one counts less and less. With half as many models in a loop are told apart less
well; with twice as many what a model was used for last month is remembered too long."""
_FADES = 1 - 1 / _REMEMBERED


@dataclass(frozen=True, slots=True)
class Use:
    """What is known of how often a model is asked for."""

    expected_per_s: float
    """Requests, before any was seen."""
    last: float | None = None
    """When it was asked for last."""
    gaps: float = 0.0
    """Between requests seen so far: how many, the older counting less."""
    gaps_s: float = 0.0
    """Their seconds, the older counting less."""

    @classmethod
    def expected(cls, requests_per_hour: float) -> "Use":
        """Of a model nobody asked for yet."""
        return cls(requests_per_hour / 3600.0)


def asked(use: Use, now: float) -> Use:
    """After one more request."""
    if use.last is None:
        return Use(use.expected_per_s, now)
    gap_s = max(0.0, now - use.last)
    return Use(use.expected_per_s, now, 1 + _FADES * use.gaps, gap_s + _FADES * use.gaps_s)

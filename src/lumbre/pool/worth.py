"""What it costs to lose a worker now: its reload, times how soon it is likely to be missed."""

from lumbre.pool.state import Loaded, State
from lumbre.pool.use import Use

_PER_S = 3600.0


def expected_cost(loaded: Loaded, state: State) -> float:
    """Seconds of loading for each hour it is not there."""
    use = state.use.get(loaded.model) or Use.expected(loaded.terms.requests_per_hour)
    return loaded.terms.reload_s * requests_per_s(use, state.now) * _PER_S


def requests_per_s(use: Use, now: float) -> float:
    if use.last is None:
        return 1.0 / use.expected_gap_s
    seen_s = sum(use.gaps_s) + now - use.last
    return (len(use.gaps_s) + 1.0) / (use.expected_gap_s / 8 + seen_s)

"""What it costs to lose a worker now: its reload, times how soon it is likely to be missed. Pure.

Two witnesses are heard. How often a model is asked for tells the steady ones apart, but outlives
a burst; how lately it was asked for forgets a favourite as soon as others are tried. The first
alone loses to plain LRU on bursts, the second gains little over it; weighed together they gain
nearly as much as the first, and do not lose: benchmarks/traces/README.md.
"""

from lumbre.pool.policy.state import Loaded, State
from lumbre.pool.policy.use import Use

_RATE_WEIGHT = 0.6
"""Of how often, in the geometric mean with how lately. 0 is LRU with costs, 1 rates alone: on
traces made from other seeds than the published, 0.5 to 0.7 serve alike."""
_SOON_S = 30.0
"""Asked for a second or half a minute ago is all the same."""
_HOUR_S = 3600.0


def expected_cost(loaded: Loaded, state: State) -> float:
    """A worker's worth: seconds of loading to be expected for each hour that it is away."""
    use = state.use.get(loaded.model) or Use.expected(loaded.terms.requests_per_hour)
    return loaded.terms.reload_s * likely_per_s(use, state.now) * _HOUR_S


def likely_per_s(use: Use, now: float) -> float:
    """Requests to be expected from now on. What was expected at first counts as one gap, and
    less with each that was seen."""
    if use.last is None:
        return use.expected_per_s
    age_s = max(0.0, now - use.last) + _SOON_S
    told = 1 / (1 + use.gaps) if use.expected_per_s else 0.0
    told_s = told / use.expected_per_s if told else 0.0
    often = (use.gaps + 1 + told) / (use.gaps_s + age_s + told_s)
    lately = 1 / age_s
    return float(often**_RATE_WEIGHT * lately ** (1 - _RATE_WEIGHT))

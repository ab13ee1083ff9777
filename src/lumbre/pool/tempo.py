"""How fast each model has been writing lately. Pure: the clock is given.

What was counted loses its weight with time, and so does the time it is divided by: a
steady stream shows its true speed from its first seconds on, and a silent one falls to none.
"""

import math

_FADES_S = 4.0
"""What was counted this long ago weighs 1/e of what is counted now."""
_OVER_S = 5 * _FADES_S
"""After a silence this long the next token begins anew."""
_LEAST_S = 0.25
"""Of a stretch: less tells no speed."""


class Tempo:
    """Tokens a second by model."""

    def __init__(self) -> None:
        self._stretches: dict[str, _Stretch] = {}

    def count(self, model: str, now: float, tokens: int = 1) -> None:
        """These came at this moment; the first of a stretch only starts its clock."""
        known = self._stretches.get(model)
        if known is None or now - known.last > _OVER_S:
            self._stretches[model] = _Stretch(now)
        else:
            known.count(now, tokens)

    def tokens_per_s(self, model: str, now: float) -> float | None:
        """None where nothing was written lately."""
        stretch = self._stretches.get(model)
        if stretch is None or now - stretch.last > _OVER_S or now - stretch.begun < _LEAST_S:
            return None
        return stretch.tokens_per_s(now)


class _Stretch:
    """One stretch of writing, silences within it counted."""

    def __init__(self, now: float) -> None:
        self.begun = self.last = now
        self._weight = 0.0

    def count(self, now: float, tokens: int) -> None:
        self._weight = self._weight * _left(now - self.last) + tokens
        self.last = now

    def tokens_per_s(self, now: float) -> float:
        weighed_s = _FADES_S * (1 - _left(now - self.begun))
        return self._weight * _left(now - self.last) / weighed_s


def _left(passed_s: float) -> float:
    return math.exp(-passed_s / _FADES_S)

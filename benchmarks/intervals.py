"""How sure a figure is: its interval of 95 %, by drawing the same repetitions again."""

import math
import random
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
DRAWS = 4000


def interval_95(seen: Sequence[T], figure: Callable[[Sequence[T]], float]) -> tuple[float, float]:
    """Percentile bootstrap over whole repetitions; the same each time for the same figures."""
    dice = random.Random(0)
    drawn = [figure(dice.choices(seen, k=len(seen))) for _ in range(DRAWS)]
    return percentile(drawn, 0.025), percentile(drawn, 0.975)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of them that this share does not exceed."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked) - 1e-9) - 1)]

"""What triggers came to: answers by outcome, how long judges and planners took, who agreed."""

from dataclasses import dataclass, field

from lumbre.core.histogram import MILLISECONDS, Histogram
from lumbre.core.signals import Result
from lumbre.triggers.policy import Outcome


@dataclass(slots=True)
class Tally:
    """Counts since the household opened."""

    judge_ms: Histogram = field(default_factory=lambda: Histogram(MILLISECONDS))
    """Whole verdicts: from the signal to the result."""
    planner_ms: Histogram = field(default_factory=lambda: Histogram(MILLISECONDS))
    """Whole plans, likewise."""
    outcomes: dict[tuple[str, Outcome], int] = field(default_factory=dict)
    """By trigger."""
    agreed: int = 0
    compared: int = 0
    """Verdicts of judges that were held against the primary's."""

    def ended(self, result: Result, outcome: Outcome) -> None:
        """A trigger was answered. Those without a whole answer tell no latency."""
        key = result.trigger, outcome
        self.outcomes[key] = self.outcomes.get(key, 0) + 1
        if result.ok and result.name == "Judge.Result":
            self.judge_ms.add(1000 * result.took_s)
        elif result.ok and result.name == "Plan.Result":
            self.planner_ms.add(1000 * result.took_s)

    def heard(self, *, agreed: bool) -> None:
        """A judge and the primary were compared."""
        self.compared += 1
        self.agreed += agreed

    @property
    def agreement(self) -> float | None:
        """The share of comparisons in which they agreed; None before the first."""
        return self.agreed / self.compared if self.compared else None

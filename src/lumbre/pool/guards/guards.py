"""Keep answers coming when speech strains the machine, a model is slow, or one is needed often.

The three decisions are pure and each in a module of its own; here they get the time, their
figures come from the settings, and what they decide is written down for people to read.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from lumbre.config.settings import Latency, Residency, Settings, Strain
from lumbre.core.errors import ModelDisabled, PromptTooLong
from lumbre.core.model import Manifest
from lumbre.core.signals import LongContext, PersonaScored, Signal, SpeechBegan, SpeechEnded
from lumbre.pool.guards import latency, residency, strain
from lumbre.pool.guards.tally import Course, Tally
from lumbre.words import Sentence

_log = logging.getLogger(__name__)
_KEPT = 50
"""Notices that are kept for people to look at."""
_FOR: dict[residency.Demand, str] = {"long_context": "long_context", "persona": "reasoning"}
"""The capability that meets a demand."""

_Effect = strain.Effect | latency.Effect | residency.Effect


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a guard decided."""

    at: float
    """Seconds since the epoch."""
    told: Sentence


class Guards:
    """The three together. `earn` is told which model has a resident place, and why: None, not."""

    def __init__(
        self,
        settings: Settings,
        earn: Callable[[str, str | None], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.notices: deque[Notice] = deque(maxlen=_KEPT)
        """The latest last."""
        self.tally = Tally(clock)
        self._settings = settings
        self._earn = earn
        self._clock = clock
        self._strain = strain.State(_strain(settings.strain))
        self._latency = latency.State(_latency(settings.latency))
        self._residency = residency.State(_residency(settings.residency))

    def tell(self, signal: Signal) -> list[Notice]:
        """Take a signal; what followed from it at once."""
        now = self._clock()
        match signal:
            case SpeechBegan(source):
                return self._strained(strain.SpeechBegan(now, source))
            case SpeechEnded(source):
                return self._strained(strain.SpeechEnded(now, source))
            case PersonaScored(adherence, target):
                return self._demanded(residency.PersonaScored(now, adherence, target))
            case LongContext():
                return self._demanded(residency.TaskDone(now, 0, is_long=True))
        return []

    @contextmanager
    def following(
        self, manifest: Manifest, *, is_optional: bool, is_task: bool
    ) -> Iterator[Course]:
        """Follow one request through the block, and learn from its end.

        `is_task`: it counts where the share of long contexts is told.

        Raises:
            ModelDisabled: the model is left out for now.
        """
        if (refusal := self.disabled(manifest.id)) is not None:
            self.tally.refused((manifest.id, manifest.role), refusal)
            raise refusal
        try:
            with self.tally.following((manifest.id, manifest.role)) as course:
                yield course
        finally:
            if is_optional and course.granted is not None and course.error is None:
                self._answered(manifest, course)
            if is_task and (tokens := _prompt_tokens(course)):
                self._demanded(residency.TaskDone(self._clock(), tokens))

    @property
    def is_diverted(self) -> bool:
        """Whether the primary gives way to speech now."""
        self._strained(strain.Passed(self._clock()))
        return self._strain.is_diverted and self._settings.strain.answer != "off"

    @property
    def may_replace(self) -> bool:
        """Whether a lightweight model is to answer for the primary now, where one may run."""
        return self.is_diverted and self._settings.strain.answer == "lightweight"

    def narrowed(self, window_tokens: int) -> int:
        """The primary's context as it may be used now."""
        share = self._settings.strain.context_share if self.is_diverted else 1.0
        return max(1, round(window_tokens * share))

    def off(self, model: str) -> latency.Off | None:
        """Why a model is left out now; None: it is not."""
        self._slow(latency.Passed(self._clock()))
        return self._latency.off(model)

    def disabled(self, model: str) -> ModelDisabled | None:
        """The same for whoever asks for it."""
        off = self.off(model)
        if off is None:
            return None
        left_s = max(0.0, off.until - self._clock())
        return ModelDisabled(
            model=model, p95_s=off.p95_s, limit_s=off.limit_s, retry_after_s=left_s
        )

    @property
    def wants_candidates(self) -> bool:
        """Whether `offer` could change something: a demand is there, or a place was given."""
        return bool(self._residency.demanded or self._residency.places)

    def may_earn(self, manifest: Manifest) -> bool:
        """Whether a model can do what a resident place is given for."""
        return not set(_FOR.values()).isdisjoint(manifest.capabilities)

    def offer(self, models: Sequence[tuple[Manifest, bool]]) -> list[Notice]:
        """The on_demand chat models there are, the better ones first, each with whether it fits."""
        candidates = tuple(
            residency.Candidate(model.id, demands, fits)
            for model, fits in models
            if (demands := frozenset(n for n in residency.DEMANDS if _FOR[n] in model.capabilities))
        )
        return self._demanded(residency.Offered(self._clock(), candidates))

    def _answered(self, manifest: Manifest, course: Course) -> None:
        limit_s = float(getattr(self._settings.latency, f"{manifest.role}_s", 0.0))
        now, is_whole = self._clock(), course.is_whole
        self._slow(latency.Answered(now, manifest.id, course.took_s, limit_s, is_whole))

    def _strained(self, event: strain.Event) -> list[Notice]:
        self._strain, effects = strain.decide(self._strain, event)
        return self._note(effects)

    def _slow(self, event: latency.Event) -> list[Notice]:
        self._latency, effects = latency.decide(self._latency, event)
        return self._note(effects)

    def _demanded(self, event: residency.Event) -> list[Notice]:
        self._residency, effects = residency.decide(self._residency, event)
        for effect in effects:
            match effect:
                case residency.Earn(model, demand):
                    self._earn(model, demand)
                case residency.Lose(model):
                    self._earn(model, None)
        return self._note(effects)

    def _note(self, effects: Sequence[_Effect]) -> list[Notice]:
        made = [Notice(time.time(), self._told(effect)) for effect in effects]
        for notice in made:
            _log.info("%s", notice.told)
        self.notices += made
        return made

    def _told(self, effect: _Effect) -> Sentence:
        """What was decided, as a person reads it."""
        match effect:
            case strain.Divert(busy_s):
                share = self._settings.strain.context_share
                key = f"guards.divert_{self._settings.strain.answer}"
                return Sentence(key, busy_s=busy_s, context_share=share)
            case strain.Restore(why, diverted_s):
                return Sentence(f"guards.restore_{why}", diverted_s=diverted_s)
            case latency.Disable(model, p95_s, limit_s, answers, off_s):
                return Sentence(
                    "guards.disable",
                    model=model, p95_s=p95_s, limit_s=limit_s, answers=answers, off_s=off_s,
                )  # fmt: skip
            case latency.Enable(model):
                return Sentence("guards.enable", model=model)
            case residency.Earn(model, demand, figure, threshold):
                return Sentence(
                    f"guards.earn_{demand}",
                    model=model, found_share=figure, threshold_share=threshold,
                )  # fmt: skip
            case residency.Lose(model, demand, is_gone):
                return Sentence(f"guards.lose_{'gone' if is_gone else demand}", model=model)
            case residency.Tell(demand, model, figure, threshold):
                return Sentence(
                    f"guards.no_{'room' if model else 'model'}_{demand}",
                    model=model or "", found_share=figure, threshold_share=threshold,
                )  # fmt: skip


def _prompt_tokens(course: Course) -> int:
    """Of what was asked, be it that the model could not take it; 0: nobody counted them."""
    if isinstance(course.error, PromptTooLong):
        told = course.error.facts["prompt_tokens"]
        return told if isinstance(told, int) else 0
    return course.usage.prompt_tokens if course.usage else 0


def _strain(said: Strain) -> strain.Limits:
    return strain.Limits(said.busy_s, said.pause_s, said.quiet_s, said.most_s)


def _latency(said: Latency) -> latency.Limits:
    return latency.Limits(
        least_answers=said.least_answers,
        most_answers=max(100, said.least_answers),
        recent_s=said.recent_s,
        off_s=said.off_s,
        most_off_s=said.most_off_s,
    )


def _residency(said: Residency) -> residency.Limits:
    return residency.Limits(
        long_tokens=said.long_tokens,
        long_share=said.long_share,
        persona_drop_share=said.persona_drop_share,
        margin_share=said.margin_share,
        least_tasks=said.least_tasks,
        half_life_s=said.half_life_s,
    )

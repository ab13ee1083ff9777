"""Leave a slow model out for a while: when its slowest answers pass the limit of its role. Pure.

The figure is the 95th percentile of its recent answers, once there are enough of them. A
model that is left out gets a fresh window when its time is over; if it is slow again it is
left out for twice as long, up to a bound, and once it has kept its limit for a whole window
the next time counts as the first. An answer that was broken off counts only where it had
passed the limit already: how long the others would have taken nobody knows.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

_SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Limits:
    """When a model is slow, and how long it is left out."""

    least_answers: int = 20
    """With fewer, nothing is said of a model."""
    most_answers: int = 100
    """Older ones are forgotten."""
    recent_s: float = 3600.0
    """So are those from longer ago."""
    off_s: float = 300.0
    """The first time a model is left out."""
    most_off_s: float = 4 * 3600.0
    """The longest."""


@dataclass(frozen=True, slots=True)
class Off:
    """A model that is left out, and why."""

    until: float
    p95_s: float
    limit_s: float


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one model."""

    answers: tuple[tuple[float, float], ...] = ()
    """(when it ended, seconds it took), oldest first."""
    off: Off | None = None
    times_off: int = 0
    """In a row, without a window within its limit between."""


@dataclass(frozen=True, slots=True)
class State:
    """Everything a decision looks at."""

    limits: Limits = field(default_factory=Limits)
    now: float = 0.0
    models: Mapping[str, Record] = field(default_factory=dict)

    def off(self, model: str) -> Off | None:
        """Why a model is left out, as of the last event; None: it is not."""
        record = self.models.get(model)
        return record.off if record else None


# Events: what happened.


@dataclass(frozen=True, slots=True)
class Answered:
    """An optional model answered, or was broken off. `limit_s` 0: its role has none."""

    now: float
    model: str
    took_s: float
    limit_s: float
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Passed:
    """Nothing but time. A time that lies before the last one is taken for that."""

    now: float


Event = Answered | Passed


# Effects: what to do.


@dataclass(frozen=True, slots=True)
class Disable:
    """Ask this model nothing for `off_s`, and say so."""

    model: str
    p95_s: float
    limit_s: float
    answers: int
    off_s: float


@dataclass(frozen=True, slots=True)
class Enable:
    """Its time is over: it may be asked again."""

    model: str


Effect = Disable | Enable


def decide(state: State, event: Event) -> tuple[State, tuple[Effect, ...]]:
    """The next state, and what to do: time first, then what happened at that time."""
    state, effects = _pass(replace(state, now=max(state.now, event.now)))
    match event:
        case Answered(_, model, took_s, limit_s, is_whole):
            record = state.models.get(model, Record())
            if record.off is None and limit_s > 0 and (is_whole or took_s > limit_s):
                answers = (*_recent(record, state), (state.now, took_s))
                record = replace(record, answers=answers[-state.limits.most_answers :])
                record, more = _judge(model, record, limit_s, state)
                state = replace(state, models={**state.models, model: record})
                effects = (*effects, *more)
    return state, effects


def wake_at(state: State) -> float | None:
    """When the next model may be asked again; None: none is left out."""
    return min((r.off.until for r in state.models.values() if r.off), default=None)


def p95(seconds: Sequence[float]) -> float:
    """The smallest that at least 95 of 100 do not pass (nearest rank). At least one is wanted."""
    return sorted(seconds)[math.ceil(_SHARE * len(seconds)) - 1]


def _pass(state: State) -> tuple[State, tuple[Effect, ...]]:
    """Those whose time is over begin anew."""
    over = {
        model: replace(record, off=None)
        for model, record in state.models.items()
        if record.off is not None and state.now >= record.off.until
    }
    if not over:
        return state, ()
    return replace(state, models={**state.models, **over}), tuple(map(Enable, over))


def _recent(record: Record, state: State) -> tuple[tuple[float, float], ...]:
    oldest = state.now - state.limits.recent_s
    return tuple(answer for answer in record.answers if answer[0] >= oldest)


def _judge(
    model: str, record: Record, limit_s: float, state: State
) -> tuple[Record, tuple[Effect, ...]]:
    """A model after one more answer."""
    limits, count = state.limits, len(record.answers)
    if count < limits.least_answers:
        return record, ()
    found_s = p95([took_s for _, took_s in record.answers])
    if found_s <= limit_s:
        return replace(record, times_off=0), ()
    off_s = _off_s(limits, record.times_off)
    off = Off(state.now + off_s, found_s, limit_s)
    after = Record(off=off, times_off=record.times_off + 1)
    return after, (Disable(model, found_s, limit_s, count, off_s),)


def _off_s(limits: Limits, times_off: int) -> float:
    """Doubled with each time, up to the bound."""
    doublings = min(times_off, 64)  # more would not be a number of seconds any more
    return min(limits.off_s * 2.0**doublings, limits.most_off_s)

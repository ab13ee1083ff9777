"""Give way while speech recognition is busy for long: a smaller context, or a lighter model. Pure.

Speech comes in stretches: a gap shorter than a pause does not end one. A stretch that lasts
begins a diversion; quiet that lasts ends it, so that it does not begin and end with every
breath. It never lasts longer than its bound: from then on the primary answers again, and
gives way anew only after speech has been quiet. Whoever acts sends the time with each event;
nothing here looks at a clock.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

Phase = Literal["calm", "diverted", "spent"]
Why = Literal["quiet", "bound"]


@dataclass(frozen=True, slots=True)
class Limits:
    """When to give way, and how far."""

    busy_s: float = 10.0
    """A stretch of speech this long begins a diversion."""
    pause_s: float = 1.0
    """A shorter gap belongs to its stretch."""
    quiet_s: float = 5.0
    """Quiet this long ends a diversion; never less than a pause."""
    most_s: float = 300.0
    """A diversion ends after this long, whatever speech does."""


@dataclass(frozen=True, slots=True)
class State:
    """Everything a decision looks at."""

    limits: Limits = field(default_factory=Limits)
    now: float = 0.0
    speaking: frozenset[str] = frozenset()
    """Sources of speech that began and have not ended."""
    stretch_since: float | None = None
    """When the stretch began that goes on, or whose last pause may not be over."""
    quiet_since: float = 0.0
    """When the last source ended; of no meaning while one speaks."""
    phase: Phase = "calm"
    diverted_since: float = 0.0

    @property
    def is_diverted(self) -> bool:
        """Whether the primary gives way now."""
        return self.phase == "diverted"


# Events: what happened.


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """Speech recognition has something to do. One source that begins twice is one."""

    now: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """It is done with it."""

    now: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class Passed:
    """Nothing but time. A time that lies before the last one is taken for that."""

    now: float


Event = SpeechBegan | SpeechEnded | Passed


# Effects: what to do.


@dataclass(frozen=True, slots=True)
class Divert:
    """From now on the primary gives way."""

    busy_s: float
    """How long speech has been busy."""


@dataclass(frozen=True, slots=True)
class Restore:
    """From now on the primary answers as ever: speech is quiet, or it took its bound."""

    why: Why
    diverted_s: float


Effect = Divert | Restore


def decide(state: State, event: Event) -> tuple[State, tuple[Effect, ...]]:
    """The next state, and what to do: time first, then what happened at that time."""
    state, effects = _pass(replace(state, now=max(state.now, event.now)))
    match event:
        case SpeechBegan(_, source):
            if not state.speaking and not _is_pause(state):
                state = replace(state, stretch_since=state.now)
            state = replace(state, speaking=state.speaking | {source})
        case SpeechEnded(_, source) if source in state.speaking:
            state = replace(state, speaking=state.speaking - {source}, quiet_since=state.now)
    state, more = _pass(state)
    return state, (*effects, *more)


def wake_at(state: State) -> float | None:
    """When time alone changes something next; None: only speech does."""
    limits, due = state.limits, []
    if state.phase == "calm":
        if state.speaking and state.stretch_since is not None:
            due.append(state.stretch_since + limits.busy_s)
    elif not state.speaking:
        due.append(state.quiet_since + _quiet_s(limits))
    if state.phase == "diverted":
        due.append(state.diverted_since + limits.most_s)
    return min(due, default=None)


def _pass(state: State) -> tuple[State, tuple[Effect, ...]]:
    """What time alone changes."""
    limits, now = state.limits, state.now
    # sums as in `wake_at`, not differences: else a wake may come a rounding too early, for ever
    is_quiet = not state.speaking and now >= state.quiet_since + _quiet_s(limits)
    diverted_s = now - state.diverted_since
    match state.phase:
        case "calm" if state.speaking and state.stretch_since is not None:
            if now >= state.stretch_since + limits.busy_s:
                busy_s = now - state.stretch_since
                return replace(state, phase="diverted", diverted_since=now), (Divert(busy_s),)
        case "diverted" if is_quiet:
            return replace(state, phase="calm"), (Restore("quiet", diverted_s),)
        case "diverted" if now >= state.diverted_since + limits.most_s:
            return replace(state, phase="spent"), (Restore("bound", diverted_s),)
        case "spent" if is_quiet:
            return replace(state, phase="calm"), ()
    return state, ()


def _is_pause(state: State) -> bool:
    """Whether the quiet of this moment is too short to end the stretch before it."""
    return state.stretch_since is not None and state.now - state.quiet_since < state.limits.pause_s


def _quiet_s(limits: Limits) -> float:
    return max(limits.quiet_s, limits.pause_s)

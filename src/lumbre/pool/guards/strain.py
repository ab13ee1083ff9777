"""Give way while speech recognition is busy for long: a smaller context, or a lighter model. Pure.

Speech comes in stretches: a gap shorter than a pause does not end one. A stretch that lasts
begins a diversion; quiet that lasts ends it, so that it does not begin and end with every
breath. It never lasts longer than its bound: from then on the primary answers again, and
gives way anew only after speech has been quiet. Who began and never ends, such as a program
that crashed, is forgotten at that bound: from then on only the others count. Whoever acts
sends the time with each event; nothing here looks at a clock, and who looks late finds what
came about meanwhile.
"""

from collections.abc import Mapping
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
    """A diversion ends after this long, whatever speech does; so does the word of a source
    that began and does not end."""


@dataclass(frozen=True, slots=True)
class State:
    """Everything a decision looks at."""

    limits: Limits = field(default_factory=Limits)
    now: float = 0.0
    speaking: Mapping[str, float] = field(default_factory=dict)
    """Sources of speech that began and have not ended: when each last began."""
    forgotten: frozenset[str] = frozenset()
    """Those that should have ended long ago, and do not count any more."""
    stretch_since: float | None = None
    """When the stretch began that goes on, or whose last pause may not be over."""
    quiet_since: float = 0.0
    """When the last source ended or was forgotten; of no meaning while one speaks."""
    phase: Phase = "calm"
    diverted_since: float = 0.0

    @property
    def is_diverted(self) -> bool:
        """Whether the primary gives way now."""
        return self.phase == "diverted"


# Events: what happened.


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """Speech recognition has something to do. One source that begins twice is one, and still
    there."""

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
    now = max(state.now, event.now)
    state, effects = _pass(state, now)
    match event:
        case SpeechBegan(_, source):
            if not state.speaking and not _is_pause(state):
                state = replace(state, stretch_since=now)
            speaking = {**state.speaking, source: now}
            state = replace(state, speaking=speaking, forgotten=state.forgotten - {source})
        case SpeechEnded(_, source) if source in state.speaking:
            state = _without(state, source)
        case SpeechEnded(_, source) if source in state.forgotten:
            # it has spoken all along, and its diversion is spent
            is_last = state.phase == "calm" and not state.speaking
            state = replace(
                state,
                forgotten=state.forgotten - {source},
                quiet_since=now,
                phase="spent" if is_last else state.phase,
            )
    state, more = _pass(state, now)
    return state, (*effects, *more)


def wake_at(state: State) -> float | None:
    """When time alone changes something next; None: only speech does."""
    limits = state.limits
    match state.phase:
        case "calm" if state.speaking and state.stretch_since is not None:
            return state.stretch_since + limits.busy_s
        case "diverted":
            bound = state.diverted_since + limits.most_s
            return bound if state.speaking else min(bound, _quiet_at(state))
        case "spent" if state.speaking:
            return min(state.speaking.values()) + limits.most_s
        case "spent":
            return _quiet_at(state)
    return None


def _pass(state: State, until: float) -> tuple[State, tuple[Effect, ...]]:
    """What time alone changes, each at its time."""
    effects: list[Effect] = []
    while (due := wake_at(state)) is not None and due <= until:
        state = replace(state, now=max(state.now, due))
        match state.phase:
            case "calm":
                effects.append(Divert(until - (state.stretch_since or 0.0)))
                state = replace(state, phase="diverted", diverted_since=state.now)
            case "diverted":
                is_quiet = not state.speaking and due == _quiet_at(state)
                why: Why = "quiet" if is_quiet else "bound"
                effects.append(Restore(why, state.now - state.diverted_since))
                state = replace(state, phase="calm" if is_quiet else "spent")
            case "spent" if state.speaking:
                source = min(state.speaking, key=lambda name: state.speaking[name])
                state = _without(state, source)
                state = replace(state, forgotten=state.forgotten | {source})
            case "spent":
                state = replace(state, phase="calm")
    return replace(state, now=until), tuple(effects)


def _without(state: State, source: str) -> State:
    """One of those that speak does not any more."""
    speaking = {name: at for name, at in state.speaking.items() if name != source}
    return replace(state, speaking=speaking, quiet_since=state.now)


def _is_pause(state: State) -> bool:
    """Whether the quiet of this moment is too short to end the stretch before it."""
    return state.stretch_since is not None and state.now - state.quiet_since < state.limits.pause_s


def _quiet_at(state: State) -> float:
    """When it has been quiet for long, unless somebody speaks before."""
    return state.quiet_since + max(state.limits.quiet_s, state.limits.pause_s)

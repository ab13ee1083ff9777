"""What becomes of a trigger: refused at once, or begun, ended in time, and answered once. Pure.

A trigger that is not listed begins nothing. One that is goes to the first model that can
do it and is not left out. When its time is over, when nobody waits for it any more or when
the household closes, its work is stopped; the answer comes when the work has ended, so that
whoever has it knows that nothing goes on behind it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from lumbre.core.signals import TriggerName

Stopped = Literal["too_long", "withdrawn", "stopping"]
Outcome = Literal["done", "failed", "not_listed", "no_model", "disabled"] | Stopped


@dataclass(frozen=True, slots=True)
class Able:
    """A model that can do it."""

    model: str
    is_off: bool = False
    """Left out for now."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A trigger at work."""

    number: int
    trigger: TriggerName
    model: str
    until: float
    stopped: Stopped | None = None
    """Why its work is being ended; None: it goes on."""


@dataclass(frozen=True, slots=True)
class State:
    """Everything a decision looks at."""

    listed: frozenset[TriggerName] = frozenset()
    timeout_s: float = 120.0
    """From the signal to the end of the work, waiting and loading included."""
    now: float = 0.0
    chains: Mapping[int, Chain] = field(default_factory=dict)
    closing: bool = False


# Events: what happened.


@dataclass(frozen=True, slots=True)
class Sent:
    """Somebody wants a trigger's work. `able`: who can do it, the better ones first."""

    now: float
    number: int
    trigger: TriggerName
    able: tuple[Able, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """Its work has ended, and nothing of it goes on; `ok`: the answer is whole."""

    now: float
    number: int
    ok: bool


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Whoever sent it does not wait any more."""

    now: float
    number: int


@dataclass(frozen=True, slots=True)
class Passed:
    """Nothing but time. A time that lies before the last one is taken for that."""

    now: float


@dataclass(frozen=True, slots=True)
class Closed:
    """The household takes no more triggers, and ends those at work."""

    now: float


Event = Sent | Ended | Withdrawn | Passed | Closed


# Effects: what to do.


@dataclass(frozen=True, slots=True)
class Begin:
    """Ask a model; `Ended` follows."""

    number: int
    model: str


@dataclass(frozen=True, slots=True)
class Stop:
    """End its work now; `Ended` follows."""

    number: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Tell whoever sent it: the one answer of this number."""

    number: int
    outcome: Outcome
    model: str | None = None


Effect = Begin | Stop | Answer


def decide(state: State, event: Event) -> tuple[State, tuple[Effect, ...]]:
    """The next state, and what to do: time first, then what happened at that time."""
    state = replace(state, now=max(state.now, event.now))
    state, effects = _stop(state, "too_long", [c for c in _going(state) if state.now >= c.until])
    more: tuple[Effect, ...] = ()
    match event:
        case Sent(_, number, trigger, able):
            state, more = _take(state, number, trigger, able)
        case Ended(_, number, ok) if number in state.chains:
            chain = state.chains[number]
            left = {n: c for n, c in state.chains.items() if n != number}
            outcome: Outcome = "done" if ok else chain.stopped or "failed"
            state = replace(state, chains=left)
            more = (Answer(number, outcome, chain.model),)
        case Withdrawn(_, number):
            state, more = _stop(
                state, "withdrawn", [c for c in _going(state) if c.number == number]
            )
        case Closed():
            state, more = _stop(replace(state, closing=True), "stopping", _going(state))
    return state, (*effects, *more)


def wake_at(state: State) -> float | None:
    """When the next trigger's time is over; None: none is at work."""
    return min((chain.until for chain in _going(state)), default=None)


def _take(
    state: State, number: int, trigger: TriggerName, able: tuple[Able, ...]
) -> tuple[State, tuple[Effect, ...]]:
    """Begin it, or say why not."""
    chosen = next((found.model for found in able if not found.is_off), None)
    if state.closing:
        return state, (Answer(number, "stopping"),)
    if trigger not in state.listed:
        return state, (Answer(number, "not_listed"),)
    if chosen is None:
        return state, (
            Answer(number, "disabled", able[0].model) if able else Answer(number, "no_model"),
        )
    chain = Chain(number, trigger, chosen, state.now + state.timeout_s)
    return replace(state, chains={**state.chains, number: chain}), (Begin(number, chosen),)


def _going(state: State) -> list[Chain]:
    """Those whose work nobody has ended yet."""
    return [chain for chain in state.chains.values() if chain.stopped is None]


def _stop(state: State, why: Stopped, chains: list[Chain]) -> tuple[State, tuple[Effect, ...]]:
    stopped = {chain.number: replace(chain, stopped=why) for chain in chains}
    return replace(state, chains={**state.chains, **stopped}), tuple(map(Stop, stopped))

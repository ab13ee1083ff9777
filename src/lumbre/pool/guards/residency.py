"""Give a model that is needed often a resident place, and take it back the same way. Pure.

Two demands earn one. Long contexts: the share of tasks with one, old tasks counting less, is
above its threshold. Persona: on hard tests the primary keeps to it less well than its target
allows. Either ends a margin beyond where it began, so that nothing comes and goes around a
threshold; with too few tasks left to tell, long contexts are no demand any more. A place is
given only where the model fits beside the residents; where it does not, that is said once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Demand = Literal["long_context", "persona"]
DEMANDS: tuple[Demand, ...] = ("long_context", "persona")


@dataclass(frozen=True, slots=True)
class Limits:
    """When a place is earned and lost."""

    long_tokens: int = 4096
    """A task with more tokens is one of long context."""
    long_share: float = 0.15
    """Of the tasks: above it a model for long contexts earns a place."""
    persona_drop_share: float = 0.05
    """Of the target: this far below it, a model that reasons earns a place."""
    margin_share: float = 0.03
    """Added to either before a place is lost."""
    least_tasks: int = 20
    """With fewer, counted with their decay, no share is told."""
    half_life_s: float = 24 * 3600.0
    """After this long a task counts half."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An on_demand model that could become resident for these demands."""

    model: str
    demands: frozenset[Demand]
    fits: bool
    """Beside the residents there are. Of no meaning once it has a place."""


@dataclass(frozen=True, slots=True)
class State:
    """Everything a decision looks at."""

    limits: Limits = field(default_factory=Limits)
    now: float = 0.0
    tasks: float = 0.0
    """Decayed to `now`, as is the next."""
    long_tasks: float = 0.0
    adherence: float | None = None
    """Of the primary on hard tests, as last told, and its target; from 0 to 1."""
    target: float = 0.0
    candidates: tuple[Candidate, ...] = ()
    """The better ones first."""
    demanded: frozenset[Demand] = frozenset()
    places: Mapping[Demand, str] = field(default_factory=dict)
    """The model that has a resident place for a demand. One may have it for both."""
    told: frozenset[Demand] = frozenset()
    """Needs of which was said that no model can have a place for them."""

    @property
    def share(self) -> float:
        """Of tasks with a long context; 0 without any."""
        return self.long_tasks / self.tasks if self.tasks else 0.0

    @property
    def earned(self) -> frozenset[str]:
        """Every model that has a place for a demand."""
        return frozenset(self.places.values())


# Events: what happened.


@dataclass(frozen=True, slots=True)
class TaskDone:
    """A task was answered. `is_long`: it is one of long context whatever its tokens."""

    now: float
    tokens: int
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class PersonaScored:
    """Hard tests were run: how well the primary kept to its persona. From 0 to 1, both."""

    now: float
    adherence: float
    target: float


@dataclass(frozen=True, slots=True)
class Offered:
    """Which models could have a place, as things are now: those that have one among them.

    Places are given at this moment only; call for it while there are demands.
    """

    now: float
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Passed:
    """Nothing but time. A time that lies before the last one is taken for that."""

    now: float


Event = TaskDone | PersonaScored | Offered | Passed


# Effects: what to do.


@dataclass(frozen=True, slots=True)
class Earn:
    """Keep this model resident. `figure` passed `threshold`: a share, or an adherence."""

    model: str
    demand: Demand
    figure: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Lose:
    """It is on_demand again; `demand` was the last it had its place for."""

    model: str
    demand: Demand
    is_gone: bool = False
    """It is no candidate any more; else the demand has passed."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Say that there is a demand and no room for `model`; without one, no model for it."""

    demand: Demand
    model: str | None
    figure: float
    threshold: float


Effect = Earn | Lose | Tell


def decide(state: State, event: Event) -> tuple[State, tuple[Effect, ...]]:
    """The next state, and what to do to get there."""
    state = _age(state, event.now)
    match event:
        case TaskDone(_, tokens, is_long):
            is_long = is_long or tokens > state.limits.long_tokens
            long_tasks = state.long_tasks + is_long
            state = replace(state, tasks=state.tasks + 1, long_tasks=long_tasks)
        case PersonaScored(_, adherence, target):
            state = replace(state, adherence=adherence, target=target)
        case Offered(_, candidates):
            state = replace(state, candidates=candidates)
    demanded = frozenset(demand for demand in DEMANDS if _is_needed(state, demand))
    state = replace(state, demanded=demanded, told=state.told & demanded)
    state, lost = _lose(state)
    # only who was just looked at is given a place: what fitted a while ago may not now
    state, earned = _earn(state) if isinstance(event, Offered) else (state, ())
    return state, (*lost, *earned)


def _age(state: State, now: float) -> State:
    now = max(state.now, now)
    kept = 0.5 ** ((now - state.now) / state.limits.half_life_s)
    return replace(state, now=now, tasks=state.tasks * kept, long_tasks=state.long_tasks * kept)


def _is_needed(state: State, demand: Demand) -> bool:
    """Whether it is a demand now; one that was there already ends later than it began."""
    limits, was = state.limits, demand in state.demanded
    margin = limits.margin_share if was else 0.0
    if demand == "long_context":
        # rounded: as many as are wanted are enough, be they a minute old
        if round(state.tasks) < (limits.least_tasks / 2 if was else limits.least_tasks):
            return False
        return state.share > limits.long_share - margin
    if state.adherence is None:
        return False
    return state.adherence <= state.target * (1 - limits.persona_drop_share + margin)


def _lose(state: State) -> tuple[State, tuple[Effect, ...]]:
    """Take back the places whose demand has passed, or whose model is no candidate any more."""
    able = {
        demand: [c.model for c in state.candidates if demand in c.demands] for demand in DEMANDS
    }
    places, effects = dict(state.places), []
    for demand, model in state.places.items():
        is_gone = model not in able[demand]
        if demand in state.demanded and not is_gone:
            continue
        del places[demand]
        if model not in places.values():
            effects.append(Lose(model, demand, is_gone))
    return replace(state, places=places), tuple(effects)


def _earn(state: State) -> tuple[State, tuple[Effect, ...]]:
    """Give each demand its model: one that has a place already, else the first that fits."""
    effects: list[Effect] = []
    for demand in DEMANDS:
        if demand not in state.demanded or demand in state.places:
            continue
        able = [c for c in state.candidates if demand in c.demands]
        has_place = [c for c in able if c.model in state.earned]
        chosen = next(iter([*has_place, *(c for c in able if c.fits)]), None)
        if chosen is None:
            if demand not in state.told:
                model = able[0].model if able else None
                effects.append(Tell(demand, model, *_figures(state, demand)))
                state = replace(state, told=state.told | {demand})
            continue
        if chosen not in has_place:
            effects.append(Earn(chosen.model, demand, *_figures(state, demand)))
        state = replace(
            state, places={**state.places, demand: chosen.model}, told=state.told - {demand}
        )
    return state, tuple(effects)


def _figures(state: State, demand: Demand) -> tuple[float, float]:
    """What was found, and where the demand begins."""
    if demand == "long_context":
        return state.share, state.limits.long_share
    return state.adherence or 0.0, state.target * (1 - state.limits.persona_drop_share)

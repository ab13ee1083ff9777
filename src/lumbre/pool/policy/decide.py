"""What to do next: state and event in, state and effects out. Pure.

No clock, no process, no lock: the loop in `pool.py` owns those. What is committed never
exceeds what there is, not even while workers change over. A lease names a worker, not a
model: one on a dead worker is not one on its successor. Every ticket gets one answer.

How long a ticket waits, where a lease lasts L at most, a load D, an end S, and k tickets are
older: a resident model's at most S + D, or it is refused; any other at most (k + 1) (2 L + S + D),
and as much again for each resident model that has to be loaded meanwhile: one lease until room
is made, one until threads are free. For tickets are served in the order they came, but for those
that take nothing from an older one.
"""

from collections.abc import Mapping
from dataclasses import replace

from lumbre.pool.policy.budget import short
from lumbre.pool.policy.cooling import Cooling, failed
from lumbre.pool.policy.end import end, give_back
from lumbre.pool.policy.events import (
    Asked,
    Cancelled,
    Closed,
    Dismissed,
    Earned,
    Effect,
    Event,
    Gone,
    Kill,
    Pinned,
    Pressed,
    Refuse,
    Released,
    Saw,
    Stalled,
    Started,
)
from lumbre.pool.policy.evict import Worth
from lumbre.pool.policy.grant import grant
from lumbre.pool.policy.place import place, refuse_all
from lumbre.pool.policy.state import Loaded, State, Terms, Ticket
from lumbre.pool.policy.use import Use, asked
from lumbre.pool.policy.worth import expected_cost

Decision = tuple[State, tuple[Effect, ...]]


def decide(state: State, event: Event, worth: Worth = expected_cost) -> Decision:
    """The next state, and what to do to get there.

    `worth` says what it costs to lose a worker: whoever costs least gives way.
    """
    state, told = _take(state, event, worth)
    if state.head and all(ticket.model != state.head for ticket in state.queue):
        state = replace(state.stays("room"), head="")
    state, granted = grant(state)
    head = state.head
    state, placed = place(state, worth, _asked_now(event))
    if head and head != state.head:  # who was to make room for it may be used again
        state, later = grant(state)
        granted += later
    state, ended = end(state)
    return state, (*told, *granted, *placed, *ended)


def _asked_now(event: Event) -> str:
    return event.ticket.model if isinstance(event, Asked) else ""


def _take(state: State, event: Event, worth: Worth) -> Decision:
    """Write down what happened."""
    match event:
        case Asked(ticket, terms):
            return _ask(state, ticket, terms)
        case Cancelled(ticket_id):
            return _without(state, ticket_id, is_well=False), ()
        case Released(ticket_id, is_well):
            return _without(state, ticket_id, is_well=is_well), ()
        case Started(worker, load_s) if _is(state, worker, "starting"):
            loaded = state.workers[worker]
            terms = replace(loaded.terms, reload_s=load_s) if load_s else loaded.terms
            ready = replace(loaded, terms=terms, phase="ready", idle_since=state.now)
            return state.put(ready), ()
        case Gone(worker, seen):
            state = _saw(state, seen)
            return _lose(state, state.workers[worker]) if worker in state.workers else (state, ())
        case Saw():
            return _saw(state, event), ()
        case Pressed():
            return give_back(state, worth), ()
        case Stalled(worker) if _is(state, worker, "ready"):
            still = replace(state.workers[worker], phase="stopping", leaving="stalled")
            return state.put(still), (Kill(worker),)
        case Pinned(model, is_pinned):
            return replace(state, pinned=_with(state.pinned, model, is_in=is_pinned)), ()
        case Earned(model, has_earned):
            return replace(state, earned=_with(state.earned, model, is_in=has_earned)), ()
        case Dismissed(model):
            return _dismiss(state, model), ()
        case Closed():
            refused = tuple(Refuse(t.id, t.model, "stopping") for t in state.queue)
            return replace(state, closing=True, queue=()), refused
    return state, ()  # news of a worker that is already gone


def _ask(state: State, ticket: Ticket, terms: Terms) -> Decision:
    model = ticket.model
    if state.closing:
        return state, (Refuse(ticket.id, model, "stopping"),)
    use = asked(state.use.get(model) or Use.expected(terms.requests_per_hour), state.now)
    state = replace(state, use={**state.use, model: use}, terms={**state.terms, model: terms})
    cooling = state.cooling.get(model)
    if cooling and (ticket.insists or cooling.made_of != terms.made_of):
        state = replace(state, cooling=_without_key(state.cooling, model))
    elif cooling and cooling.until > state.now and state.of_model(model) is None:
        wait_s = cooling.until - state.now
        refused = Refuse(ticket.id, model, "cooling", cooling.worker, retry_after_s=wait_s)
        return state, (refused,)
    return replace(state, queue=(*state.queue, ticket)), ()


def _saw(state: State, seen: Saw) -> State:
    """Take figures down, unless newer ones are there: those read before a process was seen gone
    may arrive after it. Who was to yield to another program stays when that one is gone.
    """
    if seen.now < state.saw_at:
        return state
    workers = {
        number: replace(loaded, held=seen.held.get(number, {}))
        for number, loaded in state.workers.items()
    }
    now = max(state.now, seen.now)
    state = replace(state, now=now, saw_at=seen.now, available=seen.available, workers=workers)
    return state if short(state) else state.stays("pressure")


def _lose(state: State, loaded: Loaded) -> Decision:
    """Forget a process. Those who waited for one that did not start are told why.

    Those who waited for one that died get another, unless it does so again and again.
    """
    workers = {n: w for n, w in state.workers.items() if n != loaded.worker}
    state = replace(state, workers=workers)
    if loaded.phase == "stopping" and loaded.leaving != "stalled":
        return state, ()
    model = loaded.model
    had_served = loaded.phase != "starting"
    before, made_of = state.cooling.get(model), loaded.terms.made_of
    cooling = failed(before, state.now, loaded.worker, made_of, had_served=had_served)
    state = replace(state, cooling={**state.cooling, model: cooling})
    wait_s = max(0.0, cooling.until - state.now)
    if had_served and not wait_s:
        return state, ()
    return refuse_all(state, Refuse(0, model, "failed", loaded.worker, retry_after_s=wait_s))


def _dismiss(state: State, model: str) -> State:
    """One that is still starting serves those who wait for it: it is not dismissed yet."""
    loaded = state.of_model(model)
    if loaded is None or loaded.phase == "stopping":
        return state
    if loaded.phase == "starting" and any(ticket.model == model for ticket in state.queue):
        return state
    return state.put(replace(loaded, leaving="hand"))


def _without(state: State, ticket: int, *, is_well: bool) -> State:
    """Take a ticket out, wherever it is: waiting, or holding a lease."""
    for loaded in state.workers.values():
        if ticket in loaded.leases:
            leases = loaded.leases - {ticket}
            state = state.put(replace(loaded, leases=leases, idle_since=state.now))
            if is_well and loaded.phase == "ready" and loaded.model in state.cooling:
                cooling = _without_key(state.cooling, loaded.model)
                state = replace(state, cooling=cooling)
            return state
    queue = tuple(waiting for waiting in state.queue if waiting.id != ticket)
    return replace(state, queue=queue) if len(queue) < len(state.queue) else state


def _with(models: frozenset[str], model: str, *, is_in: bool) -> frozenset[str]:
    return models | {model} if is_in else models - {model}


def _is(state: State, worker: int, phase: str) -> bool:
    return worker in state.workers and state.workers[worker].phase == phase


def _without_key(table: Mapping[str, Cooling], model: str) -> dict[str, Cooling]:
    return {name: cooling for name, cooling in table.items() if name != model}

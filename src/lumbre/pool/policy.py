"""What to do next: state and event in, state and effects out. Pure.

No clock, no process, no lock: the loop in `pool.py` owns those. Memory counts from the
moment a start is decided until the worker was seen gone, so what is committed never
exceeds what there is, not even while workers change over. A lease names a worker, not a
model: one on a dead worker is not one on its successor. Every ticket gets one answer.
"""

from dataclasses import replace
from typing import Literal

from lumbre.pool.state import (
    Asked,
    Cancelled,
    Closed,
    Effect,
    Event,
    Gone,
    Grant,
    Loaded,
    Refuse,
    Released,
    Saw,
    Start,
    Started,
    State,
    Stop,
    Terms,
    Ticket,
)


def decide(state: State, event: Event) -> tuple[State, tuple[Effect, ...]]:
    """The next state, and what to do to get there."""
    state, first = _take(state, event)
    state, granted = _grant(state)
    state, placed = _place(state)
    state, idled = _idle(state)
    return state, (*first, *granted, *placed, *idled)


def _take(state: State, event: Event) -> tuple[State, tuple[Effect, ...]]:
    """Write down what happened."""
    match event:
        case Asked(ticket) if state.closing:
            return state, (Refuse(ticket.id, ticket.model, "stopping"),)
        case Asked(ticket, terms):
            return replace(
                state,
                queue=(*state.queue, ticket),
                terms={**state.terms, ticket.model: terms},
            ), ()
        case Cancelled(ticket) | Released(ticket):
            return _without(state, ticket), ()
        case Started(worker) if worker in state.workers:
            loaded = state.workers[worker]
            if loaded.phase != "starting":
                return state, ()
            return _put(state, replace(loaded, phase="ready", idle_since=state.now)), ()
        case Gone(worker, seen):
            state, _ = _take(state, seen)
            lost = state.workers.get(worker)
            return _lose(state, lost) if lost else (state, ())
        case Saw(now, available_bytes, held):
            workers = {
                number: replace(loaded, held_bytes=held.get(number, 0))
                for number, loaded in state.workers.items()
            }
            return replace(state, now=now, available_bytes=available_bytes, workers=workers), ()
        case Closed():
            refused = tuple(Refuse(t.id, t.model, "stopping") for t in state.queue)
            return replace(state, closing=True, queue=()), refused
        case _:  # news of a worker that is already gone
            return state, ()


def _lose(state: State, loaded: Loaded) -> tuple[State, tuple[Effect, ...]]:
    """Forget a process. Those who waited for one that broke are told; nothing restarts alone."""
    workers = {n: w for n, w in state.workers.items() if n != loaded.worker}
    state = replace(state, workers=workers)
    if loaded.phase == "stopping":
        return state, ()
    told = [ticket for ticket in state.queue if ticket.model == loaded.model]
    state = replace(state, queue=tuple(t for t in state.queue if t.model != loaded.model))
    return state, tuple(Refuse(t.id, t.model, "failed", loaded.worker) for t in told)


def _grant(state: State) -> tuple[State, tuple[Effect, ...]]:
    """Hand out free slots, oldest ticket first.

    A worker that an older ticket is waiting to see gone gets no new leases, so that
    nobody waits for ever behind a model that is always in use.
    """
    effects: list[Effect] = []
    waiting: list[Ticket] = []
    spared: set[int] = set()
    for ticket in state.queue:
        loaded = _of_model(state, ticket.model)
        if (
            loaded is not None
            and loaded.phase == "ready"
            and loaded.worker not in spared
            and len(loaded.leases) < loaded.terms.slots
        ):
            leases = loaded.leases | {ticket.id}
            state = _put(state, replace(loaded, leases=leases))
            effects.append(Grant(ticket.id, loaded.worker))
            continue
        if loaded is None and not spared:
            spared = set(_victims(state, state.terms[ticket.model].need_bytes))
        waiting.append(ticket)
    return replace(state, queue=tuple(waiting)), tuple(effects)


def _place(state: State) -> tuple[State, tuple[Effect, ...]]:
    """Start what is waited for, oldest first; nobody loads past one who waits for memory.

    But for resident models: whoever asks for one may hold what the others wait for.
    """
    effects: list[Effect] = []
    someone_waits = False
    for ticket in state.queue:
        terms = state.terms[ticket.model]
        if _of_model(state, ticket.model) is not None or (someone_waits and not terms.resident):
            continue
        need_bytes = terms.need_bytes
        if need_bytes <= state.free_bytes:
            worker = state.next_worker
            loaded = Loaded(worker, ticket.model, state.terms[ticket.model])
            state = replace(_put(state, loaded), next_worker=worker + 1)
            effects.append(Start(worker, ticket.model))
            continue
        most_bytes = state.free_bytes + _yielding_bytes(state, terms)
        if need_bytes > most_bytes:
            free_bytes = max(0, most_bytes)
            told = [t for t in state.queue if t.model == ticket.model]
            state = replace(state, queue=tuple(t for t in state.queue if t not in told))
            effects += [Refuse(t.id, t.model, "does_not_fit", free_bytes=free_bytes) for t in told]
            continue
        for worker in _victims(state, need_bytes):
            loaded = state.workers[worker]
            if loaded.is_idle:
                state = _put(state, replace(loaded, phase="stopping"))
                effects.append(Stop(worker, "room"))
        someone_waits = True
    return state, tuple(effects)


def _idle(state: State) -> tuple[State, tuple[Effect, ...]]:
    """Stop what has been unused for its time, or at once when closing."""
    effects: list[Effect] = []
    for loaded in tuple(state.workers.values()):
        if state.closing and loaded.phase != "stopping" and not loaded.leases:
            why: Literal["idle", "closing"] = "closing"
        elif (
            loaded.is_idle
            and loaded.terms.idle_s is not None
            and state.now - loaded.idle_since >= loaded.terms.idle_s
        ):
            why = "idle"
        else:
            continue
        state = _put(state, replace(loaded, phase="stopping"))
        effects.append(Stop(loaded.worker, why))
    return state, tuple(effects)


def _victims(state: State, need_bytes: int) -> list[int]:
    """Workers whose end makes room for `need_bytes`: only as many as needed.

    Those already stopping count first; then idle before busy, on_demand before eager,
    longest unused before freshly used.
    """
    missing = need_bytes - state.free_bytes
    chosen: list[int] = []
    if missing <= 0:
        return chosen
    order = sorted(
        (w for w in state.workers.values() if w.phase == "stopping" or not w.terms.resident),
        key=lambda w: (
            w.phase != "stopping",
            not w.is_idle,
            w.terms.idle_s is None,
            w.idle_since,
            w.worker,
        ),
    )
    for loaded in order:
        if missing <= 0:
            break
        missing -= loaded.terms.need_bytes
        chosen.append(loaded.worker)
    return chosen


def _yielding_bytes(state: State, terms: Terms) -> int:
    """What may come free for a model: all that is not loaded; for a loaded, what is idle."""
    return sum(
        worker.terms.need_bytes
        for worker in state.workers.values()
        if worker.phase == "stopping"
        or (not worker.terms.resident and (worker.is_idle or not terms.resident))
    )


def _of_model(state: State, model: str) -> Loaded | None:
    return next((w for w in state.workers.values() if w.model == model), None)


def _put(state: State, loaded: Loaded) -> State:
    return replace(state, workers={**state.workers, loaded.worker: loaded})


def _without(state: State, ticket: int) -> State:
    """Take a ticket out, wherever it is: waiting, or holding a lease."""
    for loaded in state.workers.values():
        if ticket in loaded.leases:
            leases = loaded.leases - {ticket}
            state = _put(state, replace(loaded, leases=leases, idle_since=state.now))
    return replace(state, queue=tuple(t for t in state.queue if t.id != ticket))

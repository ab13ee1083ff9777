"""Hand out leases on workers that are there, oldest ticket first. Pure."""

from dataclasses import replace

from lumbre.pool.policy.events import Grant
from lumbre.pool.policy.state import Loaded, State, Ticket


def grant(state: State) -> tuple[State, tuple[Grant, ...]]:
    """Free slots to those who wait for them.

    A worker that an older ticket is waiting to see gone gets no new leases, so that
    nobody waits for ever behind a model that is always in use. Nor does any other start to
    work for a younger ticket while an older one waits for threads, or for its turn on a card.
    """
    if not state.queue:
        return state, ()
    workers = {w.model: w for w in state.workers.values() if w.phase == "ready" and not w.leaving}
    if not workers:
        return state, ()
    left = _left(state)
    effects: list[Grant] = []
    waiting: list[Ticket] = []
    changed: dict[int, Loaded] = {}
    held_back: set[str] = set()
    able = {model for model, w in workers.items() if len(w.leases) < w.terms.slots}
    for at, ticket in enumerate(state.queue):
        if not able:
            waiting += state.queue[at:]
            break
        if ticket.model not in able:
            waiting.append(ticket)
            continue
        loaded = workers[ticket.model]
        work = {} if loaded.terms.is_resident else loaded.terms.work
        lacking = {
            what
            for what, amount in work.items()
            if amount and (what in held_back or (not loaded.leases and _lacks(left, what, amount)))
        }
        if lacking:
            held_back |= lacking
            able.discard(ticket.model)  # nor for whoever waits for it later
            waiting.append(ticket)
            continue
        if not loaded.leases:
            for what, amount in work.items():
                if what in left:
                    taken, cap = left[what]
                    left[what] = (taken + amount, cap)
        loaded = replace(loaded, leases=loaded.leases | {ticket.id})
        workers[ticket.model] = changed[loaded.worker] = loaded
        effects.append(Grant(ticket.id, loaded.worker))
        if len(loaded.leases) >= loaded.terms.slots:
            able.discard(ticket.model)
    if not effects:
        return state, ()
    workers_now = {**state.workers, **changed}
    return replace(state, queue=tuple(waiting), workers=workers_now), tuple(effects)


def _left(state: State) -> dict[str, tuple[int, int]]:
    """What workers in use have taken of each thing they work with, and how much of it there is."""
    busy = [w for w in state.workers.values() if w.leases and not w.terms.is_resident]
    return {
        what: (sum(w.terms.work.get(what, 0) for w in busy), cap)
        for what, cap in state.work_caps.items()
    }


def _lacks(left: dict[str, tuple[int, int]], what: str, amount: int) -> bool:
    """One alone always may work, however much it wants."""
    if what not in left:
        return False
    taken, cap = left[what]
    return taken > 0 and taken + amount > cap

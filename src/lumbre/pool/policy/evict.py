"""Which workers give way so that enough comes free: the ones that are cheapest to lose. Pure.

On-demand models go before eager ones, eager ones before the primary; among equals, those
that are to be missed least (`worth`). Resident and pinned ones are not asked.
"""

from collections.abc import Callable, Iterable, Sequence

from lumbre.pool.policy.budget import missing, returned
from lumbre.pool.policy.state import Loaded, Resources, State

Worth = Callable[[Loaded, State], float]
"""Seconds that are expected to be lost if this worker is stopped now."""
_IN_USE = 3.0
"""So many times dearer is one that is not idle: it has to finish first. Not more, or a model that
takes a minute to load goes because a quick one is busy for a moment. Measured on other traces than
those published: benchmarks/traces/README.md."""
_RANKS = {"on_demand": 0, "eager": 1, "primary": 2, "resident": 3}


def rank(state: State, loaded: Loaded) -> int:
    """The smaller gives way first; who earned a place is as good as eager."""
    least = _RANKS["eager"] if loaded.model in state.earned else 0
    return max(least, _RANKS[loaded.terms.standing])


def may_give_way(state: State, asks_resident: bool) -> list[Loaded]:
    """All that may be stopped for another; a resident model waits for none that is in use."""
    return [
        worker
        for worker in state.workers.values()
        if worker.phase != "stopping"
        and not worker.terms.is_resident
        and worker.model not in state.pinned
        and (worker.is_idle or not asks_resident)
    ]


def stopping(state: State) -> list[Loaded]:
    """What comes free in any case."""
    return [worker for worker in state.workers.values() if worker.phase == "stopping"]


def still_missing(state: State, need: Resources) -> dict[str, int]:
    """By how much there is too little when all that is stopping is gone."""
    ending = stopping(state)
    return {
        resource: short - back
        for resource, short in missing(state, need).items()
        if short > (back := returned(ending, resource))
    }


def victims(
    state: State, need: Resources, worth: Worth, *, asks_resident: bool = False
) -> list[Loaded] | None:
    """Workers whose end makes room for `need`: only as many as needed, empty where what is
    stopping already is enough. None: not even all of them would be.

    The least sum of worth among: the best by worth for what they bring, less those that
    turn out not to be needed; or one alone that is enough.
    """
    short = still_missing(state, need)
    if not short:
        return []
    chosen: list[Loaded] = []
    for group in _groups(state, may_give_way(state, asks_resident)):
        left = _less(short, chosen)
        ranked = sorted(
            (worker for worker in group if _brings(worker, left) > 0),
            key=lambda worker: (_cost(worker, state, worth) / _brings(worker, left), worker.worker),
        )
        added: list[Loaded] = []
        for worker in ranked:
            if not _less(left, added):
                break
            added.append(worker)
        if _less(left, added):
            chosen += added
            continue
        added = _needed(added, left, state, worth)
        alone = [worker for worker in ranked if not _less(left, [worker])]
        if alone:
            best = min(alone, key=lambda worker: (_cost(worker, state, worth), worker.worker))
            if _cost(best, state, worth) < sum(_cost(w, state, worth) for w in added):
                added = [best]
        return _needed(chosen + added, short, state, worth)
    return None


def _groups(state: State, candidates: Iterable[Loaded]) -> list[list[Loaded]]:
    """By rank, the lowest first."""
    groups: dict[int, list[Loaded]] = {}
    for worker in candidates:
        groups.setdefault(rank(state, worker), []).append(worker)
    return [groups[key] for key in sorted(groups)]


def _needed(chosen: Sequence[Loaded], short: Resources, state: State, worth: Worth) -> list[Loaded]:
    """Without those that are enough without: the dearest are spared first."""
    kept = list(chosen)
    dearest = sorted(
        chosen, key=lambda w: (rank(state, w), _cost(w, state, worth), w.worker), reverse=True
    )
    for worker in dearest:
        others = [other for other in kept if other is not worker]
        if not _less(short, others):
            kept = others
    return kept


def _less(short: Resources, chosen: Sequence[Loaded]) -> dict[str, int]:
    """What is still missing when these are gone."""
    return {
        resource: left
        for resource, amount in short.items()
        if (left := amount - returned(chosen, resource)) > 0
    }


def _brings(worker: Loaded, short: Resources) -> float:
    """How much of what is missing it gives back: 1 is all of one thing."""
    return sum(min(worker.takes(resource), amount) / amount for resource, amount in short.items())


def _cost(worker: Loaded, state: State, worth: Worth) -> float:
    """One that is to make room already is not spared for another: whoever waits for it would
    wait anew each time the choice falls differently."""
    if worker.leaving:
        return 0.0
    return worth(worker, state) * (1.0 if worker.is_idle else _IN_USE)

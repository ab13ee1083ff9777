"""What is promised, what is left, and what is missing: the arithmetic of the pool. Pure.

Memory counts from the moment a start is decided until the worker was seen gone. What a
worker has not taken yet of its promise still looks available, so it is taken off.
"""

from collections.abc import Iterable

from lumbre.pool.policy.state import LLMS, Loaded, Resources, State

_NO_LIMIT = 1 << 62


def committed(state: State, resource: str) -> int:
    """Promised to workers that are not yet gone."""
    return sum(worker.takes(resource) for worker in state.workers.values())


def unpromised(state: State, device: str) -> int:
    """Bytes available that no worker is still to take; negative: somebody else took them."""
    unseen = sum(worker.unseen(device) for worker in state.workers.values())
    return state.available.get(device, 0) - unseen


def free(state: State, resource: str) -> int:
    """What a new worker may be promised. Of a device that nobody saw: nothing."""
    if resource == LLMS:
        there = _NO_LIMIT
    elif resource in state.available:
        there = unpromised(state, resource)
    else:
        return 0
    return min(there, _uncapped(state, resource))


def _uncapped(state: State, resource: str) -> int:
    """What the settings leave; negative where workers hold more than they were promised."""
    cap = state.caps.get(resource)
    return _NO_LIMIT if cap is None else cap - committed(state, resource)


def missing(state: State, need: Resources) -> dict[str, int]:
    """By how much there is too little, of each thing of which there is."""
    return {
        resource: short
        for resource, amount in need.items()
        if amount and (short := amount - free(state, resource)) > 0
    }


def returned(workers: Iterable[Loaded], resource: str) -> int:
    """What comes free when these are gone."""
    return sum(worker.takes(resource) for worker in workers)


def short(state: State) -> dict[str, int]:
    """Bytes to give back on each device where more than the slack is missing: others took it, or
    workers hold more than the settings allow."""
    return {
        device: -left
        for device in state.available
        if (left := min(unpromised(state, device), _uncapped(state, device)))
        < -state.slack.get(device, 0)
    }


def all_fits(state: State) -> bool:
    """Whether every model that was ever asked for could be loaded beside all others."""
    wanted: dict[str, int] = {}
    for terms in state.terms.values():
        for resource, amount in terms.need.items():
            wanted[resource] = wanted.get(resource, 0) + amount
    return all(
        amount <= free(state, resource) + committed(state, resource)
        for resource, amount in wanted.items()
    )

"""Stop what nobody uses and is to go, and give back what others need. Pure."""

from dataclasses import replace

from lumbre.pool.policy.budget import all_fits, returned, short
from lumbre.pool.policy.events import Stop, Why
from lumbre.pool.policy.evict import Worth, rank
from lumbre.pool.policy.state import Loaded, State


def end(state: State) -> tuple[State, tuple[Stop, ...]]:
    """At the close; whoever is marked to leave; and what is past its time."""
    effects: list[Stop] = []
    keeps: bool | None = None
    for loaded in state.workers.values():
        if loaded.phase == "stopping" or loaded.leases:
            continue
        why: Why
        if state.closing:
            why = "closing"
        elif loaded.leaving == "pressure":
            why = "pressure"
        elif loaded.leaving == "room":
            why = "room"
        elif loaded.leaving == "hand":
            why = "hand"
        elif _is_past_its_time(state, loaded):
            if keeps is None:
                keeps = state.keep_while_fits and not state.queue and all_fits(state)
            if keeps:
                continue
            why = "idle"
        else:
            continue
        state = state.put(replace(loaded, phase="stopping"))
        effects.append(Stop(loaded.worker, why, loaded.room_for if why == "room" else ""))
    return state, tuple(effects)


def due(state: State, now: float) -> float | None:
    """When the time of the next idle worker is up. One past its time already is kept until
    something happens."""
    if state.closing:
        return None
    ends = (
        worker.idle_since + worker.terms.idle_s
        for worker in state.workers.values()
        if worker.is_idle and worker.terms.idle_s is not None
    )
    return min((at for at in ends if at > now), default=None)


def give_back(state: State, worth: Worth) -> State:
    """Mark who yields to another program that took memory.

    What is idle goes first, then what is in use as soon as its answers are finished; in both
    on-demand models before eager ones, those before resident ones, pinned ones last; among
    equals what is missed least. The primary stays.
    """
    lacking = short(state)
    going = [w for w in state.workers.values() if w.phase == "stopping" or _goes_now(w)]
    order = sorted(
        (w for w in state.workers.values() if w not in going and w.terms.standing != "primary"),
        key=lambda w: (
            bool(w.leases),
            w.model in state.pinned,
            rank(state, w),
            worth(w, state),
            w.worker,
        ),
    )
    for loaded in order:
        left = {what: n - returned(going, what) for what, n in lacking.items()}
        if any(n > 0 and loaded.takes(what) for what, n in left.items()):
            going.append(loaded)
            if not loaded.leaving:  # else it is to go anyway, and stays so when this has passed
                state = state.put(replace(loaded, leaving="pressure"))
    return state


def _goes_now(loaded: Loaded) -> bool:
    return bool(loaded.leaving) and not loaded.leases


def _is_past_its_time(state: State, loaded: Loaded) -> bool:
    idle_s = loaded.terms.idle_s
    return (
        idle_s is not None
        and loaded.is_idle
        and not state.stays_loaded(loaded.model)
        and state.now - loaded.idle_since >= idle_s
    )

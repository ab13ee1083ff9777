"""The pool's state as a person may see it: workers, devices, who waits, who rests. Pure."""

from collections.abc import Mapping

from lumbre.core.errors import LumbreError
from lumbre.pool.lease import DeviceView, Limits, Resting, View, Waiting
from lumbre.pool.policy.budget import committed, free
from lumbre.pool.policy.state import LLMS, Resources, State


def worker_views(
    state: State,
    now: float,
    *,
    roles: Mapping[int, str],
    pids: Mapping[int, int],
    measured: Mapping[int, Resources],
) -> list[View]:
    """`roles`, `pids` and `measured` by worker, where there is one."""
    return [
        View(
            worker=number,
            model=loaded.model,
            role=roles.get(number, ""),
            state=loaded.phase,
            standing=loaded.terms.standing,
            is_pinned=loaded.model in state.pinned,
            pid=pids.get(number),
            planned={what: need for what, need in loaded.terms.need.items() if what != LLMS},
            measured=measured.get(number, {}),
            leases=len(loaded.leases),
            slots=loaded.terms.slots,
            idle_s=now - loaded.idle_since if loaded.is_idle else 0.0,
        )
        for number, loaded in state.workers.items()
    ]


def device_views(state: State, limits: Limits) -> list[DeviceView]:
    """Memory as it is kept."""
    return [
        DeviceView(
            id=device,
            available_bytes=available,
            reserve_bytes=limits.reserve.get(device, 0),
            committed_bytes=committed(state, device),
            free_bytes=free(state, device),
            cap_bytes=limits.caps.get(device),
        )
        for device, available in state.available.items()
    ]


def waiting_views(state: State, now: float, asked: Mapping[int, float]) -> list[Waiting]:
    """Oldest first; `asked` is when, by ticket."""
    return [Waiting(ticket.model, now - asked.get(ticket.id, now)) for ticket in state.queue]


def resting_views(state: State, now: float, failures: Mapping[int, LumbreError]) -> list[Resting]:
    """Models that failed and are left alone for a while; `failures` by worker."""
    return [
        Resting(model, cooling.until - now, failures.get(cooling.worker))
        for model, cooling in state.cooling.items()
        if cooling.until > now
    ]

"""The pool's state as a person may see it: each worker, each device. Pure."""

from collections.abc import Collection, Mapping

from lumbre.pool.budget import committed, free
from lumbre.pool.lease import DeviceView, Limits, Prepared, View
from lumbre.pool.state import Resources, State


def worker_views(
    state: State,
    now: float,
    *,
    prepared: Mapping[str, Prepared],
    pids: Mapping[int, int],
    measured: Mapping[int, Resources],
    pinned: Collection[str],
) -> list[View]:
    """`prepared` by model; `pids` and `measured` by worker, where there is a process."""
    return [
        View(
            worker=number,
            model=loaded.model,
            role=prepared[loaded.model].manifest.role,
            state=loaded.phase,
            standing=loaded.terms.standing,
            is_pinned=loaded.model in pinned,
            pid=pids.get(number),
            planned={device: loaded.terms.need[device] for device in prepared[loaded.model].need},
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

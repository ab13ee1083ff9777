"""What a household tells of itself when it is looked at: `lumbre ps` and `lumbre top`.

Pure: what was measured goes in, plain values for JSON come out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lumbre.core.machine import Host
from lumbre.pool.lease import DeviceView, Ended, Resting, View, Waiting
from lumbre.server.errors import as_json

Told = dict[str, Any]


def model_told(view: View, loads: int) -> Told:
    """One worker."""
    return {
        "id": view.model,
        "role": view.role,
        "state": view.state,
        "pid": view.pid,
        "device": view.device,
        "planned_bytes": view.need_bytes,
        "measured_bytes": view.held_bytes,
        "leases": view.leases,
        "idle_s": round(view.idle_s, 1),
        "loads": loads,
        "standing": view.standing,
        "is_pinned": view.is_pinned,
    }


def workings_told(view: View, waiting: Sequence[Waiting], tokens_per_s: float | None) -> Told:
    """What else is told of a worker that is watched."""
    return {
        "needs": dict(view.planned),
        "holds": dict(view.measured),
        "slots": view.slots,
        "waiting": sum(one.model == view.model for one in waiting),
        "tokens_per_s": None if tokens_per_s is None else round(tokens_per_s, 1),
    }


def budgets_told(devices: Sequence[DeviceView], views: Sequence[View]) -> list[Told]:
    """What the models of each device may have, are promised and hold."""
    return [
        {
            "id": device.id,
            "budget_bytes": device.committed_bytes + max(0, device.free_bytes),
            "committed_bytes": device.committed_bytes,
            "measured_bytes": sum(view.measured.get(device.id, 0) for view in views),
        }
        for device in devices
    ]


def memory_told(
    devices: Sequence[DeviceView], views: Sequence[View], host: Host, private: Mapping[str, int]
) -> list[Told]:
    """The same with all of each device's memory.

    `private` is what our processes hold that is not a mapped file, by device: pages of files
    count as available to the system.
    """
    known = {device.id: device for device in host.devices}
    told = []
    for device, budget in zip(devices, budgets_told(devices, views), strict=True):
        total_bytes = known[device.id].total_bytes if device.id in known else 0
        left_bytes = device.available_bytes + device.reserve_bytes
        ours_bytes = private.get(device.id, budget["measured_bytes"])
        told.append(
            {
                **budget,
                "name": known[device.id].name if device.id in known else "",
                "total_bytes": total_bytes,
                "available_bytes": max(0, device.available_bytes),
                "reserve_bytes": min(device.reserve_bytes, max(0, left_bytes)),
                "others_bytes": max(0, total_bytes - left_bytes - ours_bytes),
            }
        )
    return told


def queue_told(waiting: Sequence[Waiting]) -> list[Told]:
    """Who waits, oldest first."""
    return [{"model": one.model, "waited_s": round(one.waited_s, 1)} for one in waiting]


def evictions_told(past: Sequence[Ended], now: float) -> list[Told]:
    """Who was unloaded, the last one first."""
    return [
        {
            "ago_s": round(now - one.at_s, 1),
            "model": one.model,
            "why": one.why,
            "for": one.room_for or None,
        }
        for one in reversed(past)
    ]


def cooling_told(resting: Sequence[Resting]) -> list[Told]:
    """Who failed and is left alone, with the error as it goes over a wire."""
    return [
        {
            "model": one.model,
            "retry_after_s": round(one.retry_after_s, 1),
            "reason": str(one.failure or ""),
            **(as_json(one.failure) if one.failure else {"error": None}),
        }
        for one in resting
    ]

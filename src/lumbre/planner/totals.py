"""What each device's memory comes to with all models together. Pure."""

from collections.abc import Iterable, Sequence

from lumbre.core.machine import Host
from lumbre.core.plan import Planned, Total


def totals(models: Sequence[Planned], host: Host, limits: Sequence[int]) -> tuple[Total, ...]:
    """One for each device, in the host's order. `limits` are bytes, in that order too.

    Least: those that stay, nothing said yet. Typical: all loaded, contexts half full.
    Most, and reserved: all loaded and full. Of a shared slot the largest of its models.
    """
    found = []
    for device, limit in zip(host.devices, limits, strict=True):
        residents = [planned for planned in models if planned.residency == "resident"]
        most = _together(models, device.id, 1.0)
        found.append(
            Total(
                device=device.id,
                used_bytes=most,
                limit_bytes=limit,
                system_bytes=max(0, device.total_bytes - limit),
                min_bytes=_together(residents, device.id, 0.0),
                typical_bytes=_together(models, device.id, 0.5),
                max_bytes=most,
            )
        )
    return tuple(found)


def _together(models: Iterable[Planned], device: str, full_share: float) -> int:
    alone, slots = 0, dict[str, int]()
    for planned in models:
        size = _bytes_on(planned, device, full_share)
        if planned.slot:
            slots[planned.slot] = max(slots.get(planned.slot, 0), size)
        else:
            alone += size
    return alone + sum(slots.values())


def _bytes_on(planned: Planned, device: str, full_share: float) -> int:
    empty_share = 1 - full_share
    return sum(
        p.footprint.total_bytes - int(empty_share * p.footprint.kv_bytes)
        for p in planned.placements
        if p.device == device
    )

"""A plan as scripts read it."""

from collections.abc import Mapping
from typing import Any

from lumbre.cli.plan_view import plain
from lumbre.core.plan import Placement, Plan, Planned
from lumbre.words import Language


def plan_told(plan: Plan, language: Language) -> Mapping[str, Any]:
    """The contract of `plan --json`. Of a placement's bytes, the four parts are all of them."""
    return {
        "host": {
            "devices": [
                {
                    "id": device.id,
                    "kind": device.kind,
                    "total_bytes": device.total_bytes,
                    "free_bytes": device.free_bytes,
                    "compute_capability": device.compute_capability,
                }
                for device in plan.host.devices
            ]
        },
        "budget": {total.device: total.limit_bytes for total in plan.totals},
        "models": [_model(planned) for planned in plan.models],
        "refused": [
            {
                "id": refused.id,
                "reason": plain(refused.reason, language),
                "would_fit": [plain(what, language) for what in refused.would_fit],
            }
            for refused in plan.refused
        ],
        "fits": plan.fits,
        "totals": [
            {
                "device": total.device,
                "used_bytes": total.used_bytes,
                "limit_bytes": total.limit_bytes,
                "system_bytes": total.system_bytes,
                "min_bytes": total.min_bytes,
                "typical_bytes": total.typical_bytes,
                "max_bytes": total.max_bytes,
            }
            for total in plan.totals
        ],
    }


def _model(planned: Planned) -> dict[str, Any]:
    return {
        "id": planned.id,
        "placements": [_placement(placement) for placement in planned.placements],
        "total_bytes": planned.total_bytes,
        "context_tokens": planned.choice.context_tokens,
        "slots": planned.choice.slots,
        "residency": planned.residency,
        "basis": planned.basis,
    }


def _placement(placement: Placement) -> dict[str, Any]:
    part = placement.footprint
    return {
        "device": placement.device,
        "layers": placement.layers,
        "weights_bytes": part.weights_bytes + part.repack_bytes,
        "repacked_bytes": part.repack_bytes,
        "kv_bytes": part.kv_bytes,
        "compute_bytes": part.compute_bytes,
        "overhead_bytes": part.overhead_bytes,
    }

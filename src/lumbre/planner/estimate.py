"""The best figure there is for a worker's bytes: measured, else asked of the engine, else computed.

Until a worker of the same kind has been measured, the larger of the engine's dry run and
the formula counts: a plan that claims too little is worth nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lumbre.core.machine import CPU, Host
from lumbre.core.plan import Basis, Choice, Footprint, Placement
from lumbre.planner import calibration
from lumbre.planner.footprint import batch_tokens, copied_bytes, formula, overhead_bytes
from lumbre.planner.oracle import Buffers, Oracle, Shape
from lumbre.planner.records import Calibration, Records
from lumbre.planner.wish import Wish


@dataclass(frozen=True, slots=True)
class Here:
    """A model whose weights are on this machine."""

    path: Path
    sha256: str
    build: str
    """Of the engine that runs it."""


class Estimator:
    """Figures for one machine; an `Estimate`.

    Where the oracle knows another build than the one that runs a model, or there is none,
    the formula stands in its place.
    """

    def __init__(self, records: Records, oracle: Oracle | None, here: Mapping[str, Here]) -> None:
        self._records = records
        self._oracle = oracle
        self._here = here
        self._buffers: dict[tuple[str, Shape], Buffers | None] = {}
        self._calibrations: dict[str, Calibration | None] = {}

    def __call__(
        self, wish: Wish, choice: Choice, host: Host
    ) -> tuple[tuple[Placement, ...], Basis]:
        """Bytes by device, main memory first, and what they stand on."""
        computed = formula(wish, choice, host)
        asked = self.asked(wish, choice, host)
        exact = computed if asked is None else (asked,)
        placements, all_known = [], True
        for said, safe in zip(exact, computed, strict=True):
            known = self._known(wish, choice, host, said.device)
            if known is not None:
                overhead_bytes = calibration.overhead_bytes(known, wish, choice, said)
                footprint = replace(said.footprint, overhead_bytes=overhead_bytes)
                placements.append(replace(said, footprint=footprint))
            else:
                all_known = False
                placements.append(max(said, safe, key=_total_bytes))
        basis: Basis = "formula" if asked is None else "oracle"
        return tuple(placements), "calibrated" if all_known else basis

    def asked(self, wish: Wish, choice: Choice, host: Host) -> Placement | None:
        """The engine's own figures, with the copies it leaves out and our constant; None
        where it cannot be asked."""
        here = self._here.get(wish.id)
        if wish.facts is None or here is None or choice.layers or host.is_described:
            return None
        shape = Shape(
            context_tokens=choice.context_tokens,
            slots=choice.slots,
            batch_tokens=batch_tokens(wish, choice),
            kv_type=choice.kv_type,
            embeds=wish.embeds,
        )
        key = (wish.id, shape)
        if key not in self._buffers:
            can_say = self._oracle if self._oracle and self._oracle.build == here.build else None
            self._buffers[key] = can_say.buffers(here.path, shape) if can_say else None
        buffers = self._buffers[key]
        if buffers is None:
            return None
        footprint = Footprint(
            weights_bytes=buffers.weights_bytes,
            repack_bytes=copied_bytes(wish.facts, choice, host.architecture),
            kv_bytes=buffers.kv_bytes,
            compute_bytes=buffers.compute_bytes,
            overhead_bytes=overhead_bytes(wish, choice) + wish.beside_bytes,
        )
        return Placement(CPU, wish.facts.layers, footprint)

    def learn(
        self, wish: Wish, choice: Choice, host: Host, held: Mapping[str, int], *, is_full: bool
    ) -> None:
        """Correct the constant of workers like this one by what one was seen to hold.

        `held`: bytes on each device, in main memory without the pages of mapped weights.
        """
        here = self._here.get(wish.id)
        if here is None or wish.facts is None:
            return
        asked = self.asked(wish, choice, host)
        exact = formula(wish, choice, host) if asked is None else (asked,)
        planned, _ = self(wish, choice, host)
        for said, now in zip(exact, planned, strict=True):
            if said.device not in held:
                continue
            key = self._key(wish, choice, host, said.device)
            found = calibration.learned(
                self._records.calibration(key),
                wish,
                choice,
                said,
                planned_bytes=_total_bytes(now),
                beside_bytes=held[said.device],
                is_full=is_full,
            )
            if found is not None:
                self._records.keep_calibration(key, wish.id, found)
                self._calibrations[key] = found

    def _known(self, wish: Wish, choice: Choice, host: Host, device: str) -> Calibration | None:
        if wish.facts is None or wish.id not in self._here or host.is_described:
            return None
        key = self._key(wish, choice, host, device)
        if key not in self._calibrations:
            self._calibrations[key] = self._records.calibration(key)
        return self._calibrations[key]

    def _key(self, wish: Wish, choice: Choice, host: Host, device: str) -> str:
        here = self._here[wish.id]
        return calibration.worker_key(
            here.sha256, wish, choice, build=here.build, device=host.device(device)
        )


def _total_bytes(placement: Placement) -> int:
    return placement.footprint.total_bytes

"""What a plan is: which model gets which bytes of which device, what cannot be, and why."""

from dataclasses import dataclass, field
from typing import Literal

from lumbre.core.backend import KvType, LoadMode
from lumbre.core.machine import Host
from lumbre.core.model import Role
from lumbre.words import Sentence

Basis = Literal["calibrated", "oracle", "formula"]
"""What a number of bytes stands on: this worker measured here, the engine's own dry run, or
the header's numbers alone."""
Residency = Literal["resident", "on_demand", "shared_slot"]
"""resident: loaded and kept. on_demand: loaded when wanted, beside all others. shared_slot:
loaded when wanted, and only one of its slot at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Bytes of one worker on one device, by what they are for."""

    weights_bytes: int = 0
    """Tensors in the form of the file; all of it where the file is mapped."""
    repack_bytes: int = 0
    """A second copy of tensors the CPU backend rewrites for speed."""
    kv_bytes: int = 0
    compute_bytes: int = 0
    overhead_bytes: int = 0
    """Process, vocabulary, device context, projector's and adapter's own, prompt cache."""

    @property
    def total_bytes(self) -> int:
        return (
            self.weights_bytes
            + self.repack_bytes
            + self.kv_bytes
            + self.compute_bytes
            + self.overhead_bytes
        )


@dataclass(frozen=True, slots=True)
class Placement:
    """A model's part on one device."""

    device: str
    layers: int
    footprint: Footprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How one worker is to run: what a plan decides about a model, memory apart."""

    context_tokens: int
    slots: int = 1
    kv_type: KvType = "f16"
    load_mode: LoadMode = "mmap"
    extra_buffers: bool = True
    layers: tuple[tuple[str, int], ...] = ()
    """Layers on each card, in the order they are filled; the rest is on the CPU. A model's
    layers are counted with its output: `facts.layers + 1` is all of it."""
    expert_layers_on_cpu: int = 0
    """Of the layers on cards, the first so many keep their experts in main memory."""

    @property
    def card_layers(self) -> int:
        """Layers on cards, all together."""
        return sum(count for _, count in self.layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One model that will run, and how."""

    id: str
    role: Role
    choice: Choice
    placements: tuple[Placement, ...]
    """Main memory is among them always: a process has some there."""
    residency: Residency
    basis: Basis
    slot: str = ""
    """Which shared slot: models with the same name take turns. Empty: none."""
    tokens_per_s: float | None = None
    """Expected when writing an answer, on a described or known device."""
    first_token_s: float | None = None
    """Expected for a prompt of usual length, the load included by its probability."""
    must_be_resident: bool = False
    """Its manifest asks for it."""
    notes: tuple[Sentence, ...] = ()
    """What was given up for it to fit, in words."""

    @property
    def total_bytes(self) -> int:
        return sum(placement.footprint.total_bytes for placement in self.placements)

    def bytes_on(self, device: str) -> int:
        """On one device; 0 where it has no part."""
        return sum(p.footprint.total_bytes for p in self.placements if p.device == device)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One model that will not run, why, and the nearest thing that would."""

    id: str
    role: Role
    reason: Sentence
    would_fit: tuple[Sentence, ...] = ()
    """Nearest first; empty where nothing of it would."""
    must_be_resident: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """One device's memory, all models together."""

    device: str
    used_bytes: int
    """What the plan reserves: residents, all on demand, the largest of each shared slot."""
    limit_bytes: int
    system_bytes: int
    """The system, other programs, and what the settings leave them."""
    min_bytes: int
    """Residents only."""
    typical_bytes: int
    """All loaded, contexts half full."""
    max_bytes: int
    """All loaded, contexts and caches full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The choice for a household on a machine, and its reasons."""

    host: Host
    models: tuple[Planned, ...] = ()
    refused: tuple[Refused, ...] = ()
    totals: tuple[Total, ...] = ()
    remote: tuple[str, ...] = ()
    """Models that run elsewhere: no byte here but their client's."""
    notes: tuple[Sentence, ...] = field(default=())

    @property
    def fits(self) -> bool:
        """Everything the manifests ask for has a place."""
        return not self.refused

    @property
    def not_resident(self) -> tuple[str, ...]:
        """Models that ask to stay loaded and cannot: without a place, or taking turns."""
        refused = [one.id for one in self.refused if one.must_be_resident]
        sharing = [one.id for one in self.models if one.must_be_resident and one.slot]
        return (*refused, *sharing)

    @property
    def residents_fit(self) -> bool:
        """Everything that asks to be resident is."""
        return not self.not_resident

    def planned(self, model: str) -> Planned | None:
        """What the plan says of one model; None where it is refused or remote."""
        return next((planned for planned in self.models if planned.id == model), None)

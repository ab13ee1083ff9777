"""What the pool is handed, what it hands out, and what it can tell of itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lumbre.core.backend import Engine, WorkerSettings
from lumbre.core.errors import LumbreError
from lumbre.core.histogram import Histogram
from lumbre.core.machine import CPU
from lumbre.core.model import Manifest
from lumbre.core.plan import Footprint
from lumbre.pool.policy.events import Why
from lumbre.pool.policy.state import Resources, Standing


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model ready to be started: verified files, settings, and what it will need."""

    manifest: Manifest
    files: Mapping[str, Path]
    settings: WorkerSettings
    need: Mapping[str, Footprint]
    """By device; main memory is always among them."""
    idle_s: float | None
    slots: int = 1
    """Leases at a time."""
    engine: str = ""
    """The backend that runs it; empty: its manifest's."""
    plan: object = None
    """Whatever whoever prepared it wants back with a measurement."""
    load_s: float = 1.0
    """Expected, until one was measured."""
    requests_per_hour: float = 0.0
    """Expected, until some were counted."""

    @property
    def need_bytes(self) -> int:
        """Of all devices together."""
        return sum(footprint.total_bytes for footprint in self.need.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the pool may use."""

    reserve: Resources = field(default_factory=dict)
    """Bytes left to others on each device."""
    caps: Resources = field(default_factory=dict)
    """The most bytes of a device for all models together, where the settings say so."""
    max_concurrent_llms: int = 0
    """Chat models loaded at a time; 0: as many as fit."""
    count_remote: bool = False
    """Whether models that run elsewhere count among those."""
    threads: int = 0
    """Processor threads that work at a time; 0: no limit."""
    card_permits: int = 0
    """Models that compute on a card at a time; 0: no limit."""
    keep_while_fits: bool = True
    pinned: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Measured:
    """What a worker was seen to hold."""

    pid: int
    beside_bytes: int
    """In main memory, without the pages of its weights' files."""
    is_full: bool
    """With a full context; else as it was after its load."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to use one worker until given back."""

    worker: int
    prepared: Prepared
    """What the worker was started as."""
    engine: Engine
    waited_s: float

    @property
    def model(self) -> str:
        return self.prepared.manifest.id


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One worker as a person may see it."""

    worker: int
    model: str
    role: str
    state: str
    standing: Standing
    is_pinned: bool
    pid: int | None
    planned: Resources
    """Bytes by device."""
    measured: Resources
    """Bytes by device; of main memory, the processes' proportional share."""
    leases: int
    slots: int
    idle_s: float

    @property
    def need_bytes(self) -> int:
        return sum(self.planned.values())

    @property
    def held_bytes(self) -> int:
        return sum(self.measured.values())

    @property
    def device(self) -> str:
        """Where most of it lies."""
        return max(self.planned, key=lambda device: self.planned[device], default=CPU)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """One device's memory as the pool keeps it."""

    id: str
    available_bytes: int
    """As last seen, less the reserve."""
    reserve_bytes: int
    committed_bytes: int
    """Promised to workers that are not yet gone."""
    free_bytes: int
    """What a new worker may be promised."""
    cap_bytes: int | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request without a lease yet."""

    model: str
    waited_s: float


@dataclass(frozen=True, slots=True)
class Resting:
    """A model that failed and is left alone for a while."""

    model: str
    retry_after_s: float
    failure: LumbreError | None


@dataclass(frozen=True, slots=True)
class Ended:
    """A worker that was stopped, or broke, and why."""

    at_s: float
    """On the monotonic clock."""
    model: str
    why: Why | Literal["failed", "stalled"]
    room_for: str


@dataclass(slots=True)
class Counters:
    """What happened since the household opened, by model."""

    loads: dict[str, int] = field(default_factory=dict)
    load_s: dict[str, float] = field(default_factory=dict)
    stops: dict[tuple[str, str], int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    refusals: dict[tuple[str, str], int] = field(default_factory=dict)
    """By model and reason."""
    waits_s: dict[str, Histogram] = field(default_factory=dict)
    """Of every lease: from the asking until it was granted, loading included."""
    roles: dict[str, str] = field(default_factory=dict)
    """As each model was last asked for."""
    stalls: dict[str, int] = field(default_factory=dict)
    """Workers killed because they stood still."""
    resident_s: dict[tuple[str, str], float] = field(default_factory=dict)
    """By model and role: from ready to gone."""

    def stayed(self, manifest: Manifest, seconds: float) -> None:
        """A worker was ready for so long."""
        key = manifest.id, manifest.role
        self.resident_s[key] = self.resident_s.get(key, 0.0) + seconds

    def waited(self, model: str, seconds: float) -> None:
        """A lease was granted after so long."""
        self.waits_s.setdefault(model, Histogram()).add(seconds)

    def mean_load_s(self, model: str) -> float | None:
        """Seconds to load it, as measured; None: it never was."""
        loads = self.loads.get(model)
        return self.load_s[model] / loads if loads else None

"""What the pool is handed, what it hands out, and what it can tell of itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lumbre.core.backend import Engine, WorkerSettings
from lumbre.core.model import Manifest
from lumbre.core.plan import Footprint


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model ready to be started: verified files, settings, and what it will need."""

    manifest: Manifest
    files: Mapping[str, Path]
    settings: WorkerSettings
    need: Footprint
    """In main memory."""
    idle_s: float | None
    slots: int = 1
    """Leases at a time."""
    engine: str = ""
    """The backend that runs it; empty: its manifest's."""
    plan: object = None
    """Whatever whoever prepared it wants back with a measurement."""


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
    model: str
    engine: Engine
    waited_s: float


@dataclass(frozen=True, slots=True)
class View:
    """One worker as a person may see it."""

    model: str
    role: str
    state: str
    pid: int | None
    need_bytes: int
    held_bytes: int
    """Measured: the process's proportional share of memory."""
    leases: int
    idle_s: float


@dataclass(slots=True)
class Counters:
    """What happened since the household opened, by model."""

    loads: dict[str, int] = field(default_factory=dict)
    load_s: dict[str, float] = field(default_factory=dict)
    stops: dict[tuple[str, str], int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)

"""What a decision of the pool looks at, what can happen, and what can be done about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Phase = Literal["starting", "ready", "stopping"]
Refusal = Literal["does_not_fit", "failed", "stopping"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a model asks for and how it may be treated."""

    need_bytes: int
    slots: int = 1
    idle_s: float | None = None
    """Stops after this long unused; None: stays (an eager model)."""
    resident: bool = False
    """Small and needed by all (embedding, classifier, router): never stopped for another.

    Nor does it wait for one in use: it fits now, or is refused. A request that holds a
    chat model may therefore ask for a resident one, and never waits for itself.
    """


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request waiting for a lease."""

    id: int
    model: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """A worker process and who uses it."""

    worker: int
    """Which process, not which model."""
    model: str
    terms: Terms
    phase: Phase = "starting"
    leases: frozenset[int] = frozenset()
    """Tickets that hold one."""
    idle_since: float = 0.0
    held_bytes: int = 0
    """Memory it was last seen to hold that nobody else could have."""

    @property
    def is_idle(self) -> bool:
        return self.phase == "ready" and not self.leases

    @property
    def unseen_bytes(self) -> int:
        """What it may still take of the memory that looks available."""
        return max(0, self.terms.need_bytes - self.held_bytes)


@dataclass(frozen=True, slots=True)
class State:
    """Everything a decision looks at."""

    now: float = 0.0
    available_bytes: int = 0
    """As last seen; what workers hold is no longer in it."""
    cap_bytes: int | None = None
    """The most all workers together may be promised."""
    workers: Mapping[int, Loaded] = field(default_factory=dict)
    queue: tuple[Ticket, ...] = ()
    """Oldest first."""
    terms: Mapping[str, Terms] = field(default_factory=dict)
    next_worker: int = 1
    closing: bool = False

    @property
    def committed_bytes(self) -> int:
        """Promised to workers that are not yet gone."""
        return sum(worker.terms.need_bytes for worker in self.workers.values())

    @property
    def free_bytes(self) -> int:
        """What a new worker may be promised."""
        free = self.available_bytes - sum(w.unseen_bytes for w in self.workers.values())
        if self.cap_bytes is not None:
            free = min(free, self.cap_bytes - self.committed_bytes)
        return free


# Events: what happened.


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody wants a lease on a model."""

    ticket: Ticket
    terms: Terms


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The one who asked no longer waits; a lease it may already have comes back."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Released:
    """A lease came back."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Started:
    """A worker gave its first token."""

    worker: int


@dataclass(frozen=True, slots=True)
class Saw:
    """Memory and time, read together. `held_bytes` by worker."""

    now: float
    available_bytes: int
    held_bytes: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gone:
    """A worker's process was seen gone: asked to stop, failed to start, or died.

    Memory, and what the others hold of it, is read after the process was reaped: free is
    what was seen free.
    """

    worker: int
    seen: Saw


@dataclass(frozen=True, slots=True)
class Closed:
    """The household takes no more questions; those in hand are finished."""


Event = Asked | Cancelled | Released | Started | Gone | Saw | Closed


# Effects: what to do.


@dataclass(frozen=True, slots=True)
class Start:
    """Start a process for a model."""

    worker: int
    model: str


@dataclass(frozen=True, slots=True)
class Stop:
    """End a process; `Gone` follows when it is seen gone."""

    worker: int
    why: Literal["idle", "room", "closing"]


@dataclass(frozen=True, slots=True)
class Grant:
    """Answer a ticket: it has a lease on this worker."""

    ticket: int
    worker: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer a ticket: no. `worker` is the one whose failure is the reason."""

    ticket: int
    model: str
    why: Refusal
    worker: int | None = None
    free_bytes: int = 0


Effect = Start | Stop | Grant | Refuse

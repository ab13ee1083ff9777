"""What can happen to the pool, and what it can do about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lumbre.pool.policy.state import Resources, Terms, Ticket

Refusal = Literal["does_not_fit", "failed", "cooling", "stopping"]
Why = Literal["idle", "room", "hand", "pressure", "closing"]
"""A worker is stopped."""


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
    is_well: bool = True
    """False: the engine broke while it was used."""


@dataclass(frozen=True, slots=True)
class Started:
    """A worker gave its first token."""

    worker: int
    load_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Saw:
    """Bytes by device, after the reserve, and `held` by worker; `now` is when the look began."""

    now: float
    available: Resources
    held: Mapping[int, Resources] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pressed:
    """Others took memory that was promised: what `budget.short` tells is to be given back."""


@dataclass(frozen=True, slots=True)
class Gone:
    """A worker's process was seen gone: it failed to start, died, or was told to end.

    Memory, and what the others hold of it, is read after the process was reaped: free is
    what was seen free.
    """

    worker: int
    seen: Saw


@dataclass(frozen=True, slots=True)
class Stalled:
    """A worker stands still: it neither computes nor answers."""

    worker: int


@dataclass(frozen=True, slots=True)
class Pinned:
    """A person wants a model to stay loaded once it is, or no longer."""

    model: str
    is_pinned: bool = True


@dataclass(frozen=True, slots=True)
class Earned:
    """A model is needed so often that it is to stay loaded where it can, or no longer."""

    model: str
    has_earned: bool = True


@dataclass(frozen=True, slots=True)
class Dismissed:
    """A person wants a model unloaded, as soon as nobody uses it."""

    model: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The household takes no more questions; those in hand are finished."""


Event = (
    Asked
    | Cancelled
    | Released
    | Started
    | Gone
    | Saw
    | Pressed
    | Stalled
    | Pinned
    | Earned
    | Dismissed
    | Closed
)


# Effects: what to do.


@dataclass(frozen=True, slots=True)
class Start:
    """Start a process for a model."""

    worker: int
    model: str


@dataclass(frozen=True, slots=True)
class Stop:
    """End a process that nobody uses; `Gone` follows when it is seen gone."""

    worker: int
    why: Why
    room_for: str = ""
    """The model it makes room for."""


@dataclass(frozen=True, slots=True)
class Kill:
    """End a process that stands still, whoever uses it; `Gone` follows."""

    worker: int


@dataclass(frozen=True, slots=True)
class Grant:
    """Answer a ticket: it has a lease on this worker."""

    ticket: int
    worker: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer a ticket: no."""

    ticket: int
    model: str
    why: Refusal
    worker: int | None = None
    """The one whose failure is the reason."""
    short_of: str = ""
    """What there is not enough of, and how much a worker could have had of it at most."""
    free: int = 0
    retry_after_s: float = 0.0


Effect = Start | Stop | Kill | Grant | Refuse

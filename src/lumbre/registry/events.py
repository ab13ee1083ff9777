"""What happens while weights are pulled, one step at a time, for whoever shows it."""

from dataclasses import dataclass
from pathlib import Path

from lumbre.registry.reason import Reason


@dataclass(frozen=True, slots=True)
class Found:
    """The file was here already, and its bytes are right."""

    path: Path


@dataclass(frozen=True, slots=True)
class Waiting:
    """Another lumbre is pulling the same file; this one waits for it."""

    path: Path


@dataclass(frozen=True, slots=True)
class Trying:
    """A source is asked."""

    source: str
    path: Path


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes have come. A few times a second, and when all are here."""

    path: Path
    done_bytes: int
    total_bytes: int | None
    """As the manifest or else the source says."""
    bytes_per_s: float | None
    """Over the last seconds; None until there is something to measure."""


@dataclass(frozen=True, slots=True)
class SourceGaveUp:
    """The source did not deliver; the next one is tried."""

    source: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Verifying:
    """The file's checksum is being computed."""

    path: Path
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Done:
    """The file is in its place. Seconds are of this run alone."""

    path: Path
    source: str
    fetch_s: float
    join_s: float
    """Taking the parts out of their archives and writing them together."""
    verify_s: float


Event = Found | Waiting | Trying | Progress | SourceGaveUp | Verifying | Done

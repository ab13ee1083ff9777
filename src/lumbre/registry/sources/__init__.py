"""Places that weights come from: one file here per kind, found by the scheme of its URI.

A source is a module with two functions, `room_bytes` and `deliver`, as `Delivers` says.
`https:...` is answered by `https.py`; a new kind is a new file and nothing else.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

from lumbre.registry.reason import failed
from lumbre.registry.transfer import Partial


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a source may keep a person waiting."""

    connect_s: float = 5.0
    """For a connection, looking its address up included."""
    stall_s: float = 20.0
    """Without a single byte."""
    attempts: int = 5
    """Connections in a row that bring less than a mebibyte each."""
    pause_s: float = 0.5
    """Before another attempt, doubled each time that one brings little."""


@dataclass(frozen=True, slots=True)
class Places:
    """Whom to ask where an address does not say, and with which key."""

    hub: str = "https://huggingface.co"
    hub_token: str = field(default="", repr=False)
    """Never written anywhere; empty: none."""
    hub_token_name: str = "HF_TOKEN"
    """The environment variable it would come from."""
    ollama: str = "https://registry.ollama.ai"


@dataclass(frozen=True, slots=True)
class Order:
    """One file to deliver."""

    uri: str
    partial: Partial
    size_bytes: int | None
    """What the manifest says; no source writes more."""
    home: Path
    """Where `file:` addresses that are not absolute begin."""
    patience: Patience
    progress: Callable[[int, int | None], None]
    """Called with the bytes that are here and their total, if known."""
    sha256: str | None = None
    """What the bytes should be: a source that knows its own is asked for nothing else."""
    places: Places = Places()


class Delivers(Protocol):
    """What a source module offers."""

    def room_bytes(self, uri: str, size_bytes: int) -> int:
        """Disk the source needs beside a file of this size while it works."""
        ...

    def deliver(self, order: Order) -> float:
        """Bring every byte into the partial file, going on where it can.

        Returns the seconds spent on joining parts. Interrupted at any point, what has
        come so far stays usable. The bytes may still be wrong: whoever ordered checks.

        Raises:
            SourceFailed: nothing more is to be had here now.
            DiskFull, HomeNotUsable: from the partial file.
        """
        ...


def schemes() -> tuple[str, ...]:
    """The kinds of source there are."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name[0] != "_"))


def source_of(uri: str) -> Delivers:
    """The module that answers for a URI.

    Raises:
        SourceFailed: nobody does.
    """
    scheme, colon, _ = uri.partition(":")
    if not colon or scheme not in schemes():
        raise failed(uri, "unknown_scheme", scheme=scheme, known=schemes())
    return cast("Delivers", importlib.import_module(f"{__name__}.{scheme}"))

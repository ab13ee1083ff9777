"""The builds of llama.cpp that others publish: what each needs, and where it is to be had."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from lumbre.core.machine import DeviceKind

Form = Literal["wheel", "server"]
PACKAGE = "xllamacpp"

_FILE = Path(__file__).with_name("catalogue.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One row of catalogue.toml."""

    name: str
    form: Form
    device: DeviceKind
    system: str
    """As `sys.platform` names it."""
    processors: tuple[str, ...]
    """As `platform.machine()` names them."""
    names: tuple[str, ...]
    """Parts of a file's name that tell it from other builds of its form."""
    glibc: str = ""
    cuda: str = ""
    rocm: str = ""
    native: tuple[str, ...] = ()
    least_capability: str = ""
    newer_instructions: tuple[str, ...] = ()
    """On a processor that has these it is faster than the build that comes with lumbre."""
    libraries: tuple[tuple[str, str], ...] = ()
    """What it is linked to beyond the system's own, each with the package that brings it."""
    index: str = ""
    """Package index that carries it."""
    address: str = ""
    """Where a person finds it, when it is in no index."""

    @property
    def toolkit(self) -> str:
        """Major version of CUDA or ROCm; empty where there is none."""
        return (self.cuda or self.rocm).partition(".")[0]


@cache
def builds() -> tuple[Build, ...]:
    """Every build, in order of preference."""
    with _FILE.open("rb") as file:
        rows: list[dict[str, Any]] = tomllib.load(file)["build"]
    return tuple(Build(**{name: _frozen(value) for name, value in row.items()}) for row in rows)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def build(name: str) -> Build | None:
    """The build of this name."""
    return next((row for row in builds() if row.name == name), None)


def row_of(form: Form, device: DeviceKind, toolkit: str = "") -> Build | None:
    """The row that says what such a build needs; `toolkit` empty: any."""
    return next(
        (
            row
            for row in builds()
            if (row.form, row.device) == (form, device) and toolkit in ("", row.toolkit)
        ),
        None,
    )

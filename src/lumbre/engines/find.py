"""Which builds of the engine are here: ours, those installed, and programs on the PATH."""

import importlib.metadata
import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, cast, get_args

from lumbre.core.machine import DeviceKind
from lumbre.engines.catalogue import PACKAGE
from lumbre.engines.trial import ASK_S, PROGRAM, Useless, card_kind, server_version, try_server

Origin = Literal["built_in", "installed", "path"]
Runs = Literal["llama_cpp", "llama_server", "ollama"]
BUILT_IN = "built-in"
RECORD = "engine.json"
NEW = ".new-"
"""How a folder begins that is not yet, or no more, an engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A build that is here."""

    name: str
    """As commands and settings call it."""
    backend: Runs
    """What runs it, by the name in `lumbre.backends`."""
    device: DeviceKind
    build: str
    """What measurements of it are kept under: "xllamacpp-2026.10.11549", "llama-server-b11669"."""
    origin: Origin
    path: str = ""
    """`WorkerSettings.engine_path`; empty for the built-in one."""
    toolkit: str = ""
    problem: str = ""
    """Why it cannot be used, in its own words; empty when it can."""


def find(home_engines: Path, path: str | None, which: "Which | None" = None) -> tuple[Found, ...]:
    """Every build that is here, the built-in one first. `path` is where programs are looked for.

    A program that does not answer in five seconds is told of as such.
    """
    look = which or shutil.which
    found = [built_in(), *installed(home_engines)]
    if program := look(PROGRAM, path=path):
        found.append(_program(program))
    if program := look("ollama", path=path):
        found.append(
            Found(
                name="ollama", backend="ollama", device="cpu", build="ollama", origin="path",
                path=program,
            )
        )  # fmt: skip
    return tuple(found)


Which = Callable[..., str | None]


def built_in() -> Found:
    """The one that comes with lumbre. Its package is not loaded."""
    version = importlib.metadata.version(PACKAGE)
    return Found(
        name=BUILT_IN,
        backend="llama_cpp",
        device="metal" if _is_apple_wheel() else "cpu",
        build=f"{PACKAGE}-{version}",
        origin="built_in",
    )


def installed(home_engines: Path) -> tuple[Found, ...]:
    """Those in our own folder; one whose record cannot be read is told of as such."""
    if not home_engines.is_dir():
        return ()
    folders = sorted(path for path in home_engines.iterdir() if path.is_dir())
    return tuple(_installed(path) for path in folders if not path.name.startswith("."))


def build_of(backend: str, engine_path: str = "") -> str:
    """Which build runs when a worker is started so; what calibration keeps figures under.

    An engine that cannot be asked is named by its path: its figures are then its own.
    """
    if backend == "llama_cpp" and not engine_path:
        return built_in().build
    for folder in Path(engine_path).parents if engine_path else ():
        if (folder / RECORD).is_file():
            return _installed(folder).build
    if engine_path and (Path(engine_path) / RECORD).is_file():
        return _installed(Path(engine_path)).build
    program = shutil.which(engine_path or PROGRAM)
    if backend != "llama_server" or program is None:
        return f"{backend}:{engine_path}"
    status = Path(program).stat()
    return _build_of_program(program, status.st_mtime_ns, status.st_size)


@cache
def _build_of_program(program: str, _mtime_ns: int, _size_bytes: int) -> str:
    """Asked once, and again when the file is another."""
    try:
        return f"{PROGRAM}-{server_version(Path(program))}"
    except Useless:
        return f"{PROGRAM}:{program}"


def _program(program: str) -> Found:
    found = Found(
        name=PROGRAM, backend="llama_server", device="cpu", build=PROGRAM, origin="path",
        path=program,
    )  # fmt: skip
    try:
        tried = try_server(Path(program), ASK_S)
    except Useless as useless:
        return replace(found, problem=useless.text)
    return replace(found, device=card_kind(tried.cards), build=f"{PROGRAM}-{tried.version}")


def _installed(folder: Path) -> Found:
    name = folder.name
    nothing = Found(
        name=name, backend="llama_cpp", device="cpu", build=name, origin="installed",
        path=str(folder), problem=RECORD,
    )  # fmt: skip
    try:
        record = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):
        return nothing
    if not _is_record(record):
        return nothing
    path = folder / str(record["main"])
    return Found(
        name=name,
        backend=cast("Runs", record["backend"]),
        device=cast("DeviceKind", record["device"]),
        build=str(record["build"]),
        origin="installed",
        path=str(path),
        toolkit=str(record.get("toolkit", "")),
        problem="" if path.exists() and path.is_relative_to(folder) else str(record["main"]),
    )


def _is_record(record: object) -> bool:
    return (
        isinstance(record, Mapping)
        and record.get("backend") in get_args(Runs)
        and record.get("device") in get_args(DeviceKind)
        and isinstance(record.get("main"), str)
        and ".." not in record["main"]
        and isinstance(record.get("build"), str)
        and re.fullmatch(r"[\w.:+-]{1,100}", record["build"]) is not None
    )


def _is_apple_wheel() -> bool:
    import platform
    import sys

    return sys.platform == "darwin" and platform.machine() == "arm64"

"""Put a build into our own folder: whole and tried, or not at all."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from lumbre.core.errors import BadEngine, DiskFull
from lumbre.core.machine import Host
from lumbre.engines.catalogue import PACKAGE, Build, Form, row_of
from lumbre.engines.find import NEW, RECORD, Found, installed
from lumbre.engines.naming import Named, fits, read_name, row_for
from lumbre.engines.parts import bundle
from lumbre.engines.suits import Verdict, verdict
from lumbre.engines.system import System, version_of
from lumbre.engines.trial import PROGRAM, Made, Tried, Useless, made_for, try_server, try_wheel
from lumbre.engines.unpack import unpack
from lumbre.words import Sentence

_MOST_FILES, _MOST_BYTES = 2000, 4 * 2**30
_DEEPEST = 3
_LOCK_S = 1.0
_FETCH = ".fetch-"
_PARTS = "nvidia_*.whl"
"""Libraries that lie beside a build are installed with it."""

GaveUp = Callable[[Path, object], None]
"""Told of a file that was tried and is no use, and why."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a build has to suit."""

    host: Host
    system: System


@dataclass(frozen=True, slots=True)
class Installed:
    """What came of it."""

    engine: Found
    was_here: bool


def install(
    source: Path, home_engines: Path, machine: Machine, wanted: Build | None, gave_up: GaveUp
) -> Installed:
    """Install the build in a file, or the best of a folder for this machine.

    Of a folder, files are taken in the order in which they suit; one that turns out to be
    no use is told to `gave_up`, and the next is tried. `wanted`: that build and no other.

    Raises:
        BadEngine: nothing there can be used; for a single file, why.
        DiskFull: no room for it.
    """
    if not source.exists():
        raise _bad(source, "missing")
    if source.is_file() and source.name != PROGRAM:
        return _install(source, home_engines, machine, wanted, gave_up)
    if (folder := source if source.is_dir() else source.parent) and (folder / PROGRAM).is_file():
        return _install(folder, home_engines, machine, wanted, gave_up)
    for path in candidates(source, machine, wanted):
        try:
            return _install(path, home_engines, machine, wanted, gave_up)
        except BadEngine as error:
            gave_up(path, error.facts["reason"])
    raise _bad(source, "nothing_suits")


def candidates(folder: Path, machine: Machine, wanted: Build | None = None) -> list[Path]:
    """The files of a folder that may suit by their names, best first."""
    ranked: list[tuple[tuple[bool, int, int, list[int]], Path]] = []
    for path in _files(folder):
        named = read_name(path)
        if named is None or not fits(named, machine.system):
            continue
        row = row_for(named)
        if wanted is not None and (
            named.form != wanted.form or (row is not None and row.name != wanted.name)
        ):
            continue
        found = verdict(row, machine.host, machine.system) if row else None
        if found is not None and not found.suits:
            if found.build.device != "cpu" and wanted is None:
                continue
            found = None  # of no advantage here, but whoever has nothing else may try it
        ranked.append((_rank(found, named), path))
    return [path for _, path in sorted(ranked, key=lambda one: (one[0], str(one[1])))]


def _rank(found: Verdict | None, named: Named) -> tuple[bool, int, int, list[int]]:
    """Known to suit before unknown; more cards first; newer toolkits and releases first."""
    release = [-part for part in version_of(named.version)]
    if found is None:
        return True, 0, 0, release
    return False, -found.cards, -int(found.build.toolkit or 0), release


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        depth = len(Path(root).relative_to(folder).parts)
        folders[:] = sorted(f for f in folders if not f.startswith(".")) if depth < _DEEPEST else []
        yield from (Path(root) / name for name in sorted(names))


def _install(
    source: Path, home_engines: Path, machine: Machine, wanted: Build | None, gave_up: GaveUp
) -> Installed:
    beside = sorted(source.parent.glob(_PARTS))
    with _alone(home_engines), _writing(source, home_engines):
        sha256 = _sha256(source)
        for engine in installed(home_engines):
            if _record(home_engines / engine.name).get("sha256") == sha256 and not engine.problem:
                return Installed(engine, was_here=True)
        new = Path(tempfile.mkdtemp(prefix=NEW, dir=home_engines))
        try:
            _fill(source, new)
            form, main = _main(source, new)
            made = made_for(
                new, main, system=machine.system.name, processor=machine.system.processor
            )
            _check(source, form, made, machine, wanted)
            parts = bundle(row_of(form, made.device, made.toolkit), beside, new, gave_up)
            root = main.parents[1] if form == "wheel" else main
            tried = _try(source, form, root)
            name = _free_name(home_engines, form, made, tried)
            stem = PACKAGE if form == "wheel" else PROGRAM
            record = {
                "backend": "llama_cpp" if form == "wheel" else "llama_server",
                "device": made.device,
                "toolkit": made.toolkit,
                "build": f"{stem}{_mark(made)}-{tried.version}",
                "main": str(root.relative_to(new)),
                "source": source.name,
                "sha256": sha256,
                "parts": list(parts),
            }
            (new / RECORD).write_text(json.dumps(record, indent=2) + "\n")
            new.chmod(0o755)
            new.rename(home_engines / name)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        return Installed(next(e for e in installed(home_engines) if e.name == name), was_here=False)


def _fill(source: Path, new: Path) -> None:
    if source.is_file():
        unpack(source, new)
        return
    shutil.copytree(source, new, symlinks=True, dirs_exist_ok=True)
    for link in (path for path in new.rglob("*") if path.is_symlink()):
        end = link.readlink()
        if end.is_absolute() or ".." in end.parts:  # as in an archive: never out of the folder
            raise _bad(source, "link", member=link.name, target=str(end)[:200])


def _main(source: Path, folder: Path) -> tuple[Form, Path]:
    """The package's library, or the program."""
    libraries = sorted(folder.glob(f"{PACKAGE}/{PACKAGE}*.so"))
    if libraries and (folder / PACKAGE / "__init__.py").is_file():
        return "wheel", libraries[0]
    programs = sorted(folder.rglob(PROGRAM), key=lambda path: len(path.parts))
    if not programs or not programs[0].resolve().is_file():
        windows = next(folder.rglob(f"{PROGRAM}.exe"), None)
        raise _bad(source, "other_system" if windows else "no_server", program=PROGRAM)
    programs[0].chmod(0o755)
    return "server", programs[0]


def _check(source: Path, form: Form, made: Made, machine: Machine, wanted: Build | None) -> None:
    if made.other_machine:
        here = machine.system.processor
        raise _bad(source, "other_machine", made_for=made.other_machine, here=here)
    row = row_of(form, made.device, made.toolkit)
    if wanted is not None and row is not wanted:
        raise _bad(source, "not_wanted", wanted=wanted.name, found=row.name if row else made.device)
    if row is None or made.device == "cpu":  # whether one for CPUs runs, the trial tells
        return
    found = verdict(row, machine.host, machine.system)
    if not found.suits:
        raise BadEngine(path=source, reason=found.reason)


def _try(source: Path, form: Form, root: Path) -> Tried:
    try:
        return try_wheel(root) if form == "wheel" else try_server(root)
    except Useless as useless:
        raise _bad(source, "does_not_run", detail=useless.text) from useless


def _mark(made: Made) -> str:
    return "" if made.device == "cpu" else f"-{made.device}{made.toolkit}"


def _free_name(home_engines: Path, form: Form, made: Made, tried: Tried) -> str:
    parts = ["server"] if form == "server" else []
    stem = "-".join([*parts, made.device + made.toolkit, tried.version])
    names = (stem, *(f"{stem}-{number}" for number in range(2, 100)))
    return next(name for name in names if not (home_engines / name).exists())


def _record(folder: Path) -> dict[str, object]:
    try:
        record = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _sha256(source: Path) -> str:
    """Of a file; of a folder, of its files' names and bytes in order."""
    if source.is_file():
        with source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = sorted(path for path in source.rglob("*") if path.is_file())
    if len(files) > _MOST_FILES or sum(path.stat().st_size for path in files) > _MOST_BYTES:
        raise _bad(source, "large_folder", program=PROGRAM)
    whole = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        whole.update(os.fsencode(path.relative_to(source)) + b"\0" + digest)
    return whole.hexdigest()


@contextmanager
def _alone(home_engines: Path) -> Iterator[None]:
    """One who writes at a time; what an interrupted one has left is taken away."""
    home_engines.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with FileLock(home_engines / ".lock", timeout=_LOCK_S):
            for left in (*home_engines.glob(f"{NEW}*"), *_abandoned(home_engines)):
                shutil.rmtree(left, ignore_errors=True)
            yield
    except Timeout:
        raise _bad(home_engines, "busy") from None


@contextmanager
def fetching(home_engines: Path) -> Iterator[Path]:
    """A folder to fetch a file into, on the same disk; gone afterwards, also when killed."""
    home_engines.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{_FETCH}{os.getpid()}-", dir=home_engines) as folder:
        yield Path(folder)


def _abandoned(home_engines: Path) -> Iterator[Path]:
    """What somebody fetched into who is no more."""
    for path in home_engines.glob(f"{_FETCH}*"):
        pid = path.name.removeprefix(_FETCH).partition("-")[0]
        if not pid.isdigit() or not psutil.pid_exists(int(pid)):
            yield path


@contextmanager
def _writing(source: Path, home_engines: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free_bytes = shutil.disk_usage(home_engines).free
            raise DiskFull(
                path=home_engines, need_bytes=5 * _size_bytes(source), free_bytes=free_bytes
            ) from error
        raise _bad(source, "unreadable", detail=error.strerror or str(error)) from error


def _size_bytes(source: Path) -> int:
    return source.stat().st_size if source.is_file() else 0


def _bad(path: Path, code: str, /, **facts: object) -> BadEngine:
    return BadEngine(path=path, reason=Sentence(f"engines.bad.{code}", **facts))

"""Take an installed build away, unless something still runs from it."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from lumbre.core.errors import EngineInUse, UnknownEngine
from lumbre.engines.find import NEW, installed
from lumbre.words import Sentence


def remove(home_engines: Path, name: str) -> Path:
    """Remove what `install` put there; returns where it was.

    Raises:
        UnknownEngine: nothing of this name was installed by lumbre.
        EngineInUse: a process has it open.
    """
    names = [engine.name for engine in installed(home_engines)]
    if name not in names:
        key = "not_installed" if names else "none_installed"
        raise UnknownEngine(reason=Sentence(f"engines.{key}", name=name, known=names))
    folder = home_engines / name
    if pids := users(folder):
        raise EngineInUse(engine=name, pid=pids[0])
    away = Path(tempfile.mkdtemp(prefix=NEW, dir=home_engines))
    folder.rename(away / name)  # gone at once; an interrupted removal leaves nothing to use
    shutil.rmtree(away, ignore_errors=True)
    return folder


def users(folder: Path) -> tuple[int, ...]:
    """Processes of ours that run a program or hold a file of this folder.

    Source: Documentation/filesystems/proc.rst, /proc/<pid>/maps and fd. Elsewhere by program.
    """
    inside = os.fsencode(folder.resolve())
    found = []
    if not Path("/proc/self/maps").exists():
        return _by_program(folder)
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if inside + b"/" in (process / "maps").read_bytes() or _opens(process, inside):
                found.append(int(process.name))
    return tuple(sorted(found))


def _opens(process: Path, inside: bytes) -> bool:
    """A worker keeps the folder of its program open: a script there is in nobody's memory."""
    for handle in (process / "fd").iterdir():
        with suppress(OSError):
            target = os.fsencode(handle.readlink())
            if target == inside or target.startswith(inside + b"/"):
                return True
    return False


def _by_program(folder: Path) -> tuple[int, ...]:
    import psutil

    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = [process.exe(), *process.cmdline()]
            if any(Path(word).is_relative_to(folder.resolve()) for word in words):
                found.append(process.pid)
    return tuple(found)

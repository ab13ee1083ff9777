"""Take an installed build away, unless something still runs from it."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from lumbre.core.errors import BadArguments, EngineInUse
from lumbre.engines.find import NEW, installed
from lumbre.words import Sentence


def remove(home_engines: Path, name: str) -> Path:
    """Remove what `install` put there; returns where it was.

    Raises:
        BadArguments: nothing of this name was installed by lumbre.
        EngineInUse: a process has it open.
    """
    names = [engine.name for engine in installed(home_engines)]
    if name not in names:
        key = "not_installed" if names else "none_installed"
        raise BadArguments(reason=Sentence(f"engines.{key}", name=name, known=names))
    folder = home_engines / name
    if pids := users(folder):
        raise EngineInUse(engine=name, pid=pids[0])
    away = Path(tempfile.mkdtemp(prefix=NEW, dir=home_engines))
    folder.rename(away / name)  # gone at once; an interrupted removal leaves nothing to use
    shutil.rmtree(away, ignore_errors=True)
    return folder


def users(folder: Path) -> tuple[int, ...]:
    """Processes of ours that run a program or hold a library of this folder.

    Source: Documentation/filesystems/proc.rst, /proc/<pid>/maps. Elsewhere by their program.
    """
    inside = os.fsencode(folder.resolve()) + b"/"
    found = []
    if not Path("/proc/self/maps").exists():
        return _by_program(folder)
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if inside in (process / "maps").read_bytes():
                found.append(int(process.name))
    return tuple(sorted(found))


def _by_program(folder: Path) -> tuple[int, ...]:
    import psutil

    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = [process.exe(), *process.cmdline()]
            if any(Path(word).is_relative_to(folder.resolve()) for word in words):
                found.append(process.pid)
    return tuple(found)

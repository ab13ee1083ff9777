"""Know a state that is still being written: of which talk it is, and whether it was left.

A process that is killed in the middle of it leaves the file, with all that was written.
"""

import os
import re
from contextlib import suppress
from pathlib import Path

import psutil

_BEGUN = ".new-"
_NAME = re.compile(rf"{re.escape(_BEGUN)}(\d+)-(\d+)-\d+(?:\.json)?")
_LONGEST_S = 600.0
"""Nothing is written for so long: a process with that number is another one by now."""


def name_of(conversation: int, count: int) -> str:
    """What this process writes to."""
    return f"{_BEGUN}{os.getpid()}-{conversation}-{count}"


def begun_in(folder: Path) -> list[Path]:
    """Every file that is being written, or was left."""
    with suppress(OSError):
        return list(folder.glob(f"{_BEGUN}*"))
    return []


def is_of(path: Path, conversation: int) -> bool:
    """Whether it is a state of this talk."""
    named = _NAME.fullmatch(path.name)
    return named is not None and int(named[2]) == conversation


def is_left(path: Path, now: float, *, own: bool = False) -> bool:
    """Whether nobody writes to it any more. `now`: seconds since the epoch.

    `own`: so is what bears this process's number, as where it has begun nothing yet.

    Raises:
        OSError: it is not there.
    """
    named = _NAME.fullmatch(path.name)
    if named is None:
        return True
    pid = int(named[1])
    if pid == os.getpid() and own:
        return True
    return not _lives(pid) or path.lstat().st_mtime < now - _LONGEST_S


def _lives(pid: int) -> bool:
    """One that only waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True

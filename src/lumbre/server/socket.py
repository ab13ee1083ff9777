"""The household's door: one Unix socket, one owner, and a note of who that is.

The owner holds a lock for as long as it lives, so two never serve one home, and a socket
left by one that was killed is known to be stale. The note stays behind after a crash: that
is how the next command can say so.
"""

import fcntl
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from lumbre.config import Folders
from lumbre.core.errors import HomeNotUsable

_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Note:
    """Who serves, as written beside the socket."""

    pid: int
    started: float
    """Seconds since the epoch."""
    fingerprint: str
    """Of its configuration: commands with another one want another household."""
    version: str
    stays: bool
    """Started by `lumbre serve`: ends only when told."""
    socket: str
    """Where it listens: the same for every command, whatever its environment."""


def note_path(folders: Folders) -> Path:
    return folders.home / "household.json"


def read_note(folders: Folders) -> Note | None:
    """The note of the household that serves, or of one that crashed; None after a clean end."""
    try:
        return Note(**json.loads(note_path(folders).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_note(folders: Folders, note: Note) -> None:
    handle, partial = tempfile.mkstemp(prefix=".household-", dir=folders.home)  # 0600, new
    with os.fdopen(handle, "w") as file:
        json.dump(asdict(note), file)
    Path(partial).replace(note_path(folders))


def remove_note(folders: Folders, pid: int) -> None:
    """Take note and socket of this household away; those of a successor stay."""
    note = read_note(folders)
    if note is not None and note.pid == pid:
        Path(note.socket).unlink(missing_ok=True)
        note_path(folders).unlink(missing_ok=True)


@contextmanager
def owned(folders: Folders, name: str, *, patience_s: float) -> Iterator[bool]:
    """Hold a lock of this home. Yields whether it was had within `patience_s`.

    The system gives it back on any death. Children do not inherit it.
    """
    with _lock_file(folders, name) as handle:
        yield _locked(handle, fcntl.LOCK_EX, time.monotonic() + patience_s)


def is_owned(folders: Folders, name: str) -> bool:
    """Whether some process holds the lock now. Looking keeps no other looker from looking."""
    with _lock_file(folders, name) as handle:
        return not _locked(handle, fcntl.LOCK_SH, 0.0)


@contextmanager
def _lock_file(folders: Folders, name: str) -> Iterator[int]:
    path = folders.home / f".{name}.lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise HomeNotUsable(path=path, reason=error.strerror or str(error)) from error
    try:
        yield handle
    finally:
        os.close(handle)


def _locked(handle: int, kind: int, until: float) -> bool:
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_POLL_S)
        else:
            return True


def listen(path: Path) -> socket.socket:
    """A listening socket at `path`, open to this user alone, replacing a stale one.

    Raises:
        HomeNotUsable: the folder takes no sockets.
    """
    path.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        door.bind(str(path))
    except OSError as error:
        door.close()
        raise HomeNotUsable(path=path, reason=error.strerror or str(error)) from error
    finally:
        os.umask(before)
    with suppress(OSError):
        path.chmod(0o600)
    door.listen(64)
    return door

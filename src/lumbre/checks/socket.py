"""The household's door: its path short enough, its folder ours, and open while somebody serves."""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from lumbre.checks import Finding, Scope, command, found
from lumbre.words import Sentence

PLACE = 140
_LONGEST_BYTES = 103
"""Source: sockaddr_un of macOS, the shortest: 104 bytes with the zero at the end."""
_PATIENCE_S = 1.0


def check(scope: Scope) -> Iterator[Finding]:
    path = scope.config.folders.socket
    if len(os.fsencode(path)) > _LONGEST_BYTES:
        mend = Sentence("errors.home_not_usable.hint", path=path, reason="")
        yield found("fail", "socket.too_long", mend, path=path)
        return
    if _is_foreign(path.parent):
        yield found("fail", "socket.foreign", command(f"ls -ld {path.parent}"), path=path.parent)
        return
    serving = scope.serving
    if serving is not None and serving.is_alive:
        trouble = _trouble(serving.socket)
        if trouble:
            facts = {"path": serving.socket, "reason": trouble}
            yield found("fail", "socket.closed", command(f"kill {serving.pid}"), **facts)
            return
        yield found("ok", "socket.open", path=serving.socket)
        return
    yield found("ok", "socket.ok", path=path)


def _is_foreign(folder: Path) -> bool:
    """Somebody else could put a door of his own there."""
    try:
        facts = folder.lstat()
    except OSError:
        return False
    return not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid()


def _trouble(path: Path) -> str:
    """Why nobody opens; empty when somebody does."""
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(_PATIENCE_S)
        try:
            door.connect(str(path))
        except OSError as error:
            return error.strerror or str(error)
    return ""

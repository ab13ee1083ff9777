"""The home: whether it can be written, and is a place for a database."""

import os
from collections.abc import Iterator
from pathlib import Path

from lumbre.checks import Finding, Scope, found
from lumbre.hardware.mounts import file_system, is_over_network
from lumbre.words import Sentence

PLACE = 80


def check(scope: Scope) -> Iterator[Finding]:
    home = scope.config.folders.home
    nearest = nearest_folder(home)
    elsewhere = Sentence("errors.home_not_usable.hint", path=home, reason="")
    if home.exists() and not home.is_dir():
        yield found("fail", "home.no_folder", elsewhere, path=home)
        return
    if not nearest.is_dir() or not _takes_files(nearest):
        yield found("fail", "home.not_writable", elsewhere, path=home, folder=nearest)
        return
    kind = file_system(nearest.resolve(), scope.root)
    if is_over_network(kind):
        yield found("warn", "home.network", elsewhere, path=home, kind=kind)
        return
    yield found("ok", "home.ok" if home.exists() else "home.not_yet", path=home)


def nearest_folder(path: Path) -> Path:
    """The folder itself, or the first above it that is there."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _takes_files(folder: Path) -> bool:
    """A user who may do everything still may not write to what is read only, or no disk."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    facts = os.statvfs(folder)
    return not facts.f_flag & os.ST_RDONLY and facts.f_blocks > 0

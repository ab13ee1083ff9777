"""Tell a file that was deleted from one whose disk is not there now.

A folder where a disk was mounted is empty while it is not, and what was read from that disk
is still wanted. So the file system of each document's folder is remembered: an empty folder
that is on another one than it was proves nothing about the files that stood in it.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lumbre.core.document import Document
from lumbre.core.text import escaped
from lumbre.knowledge.index import is_within
from lumbre.store import Schema, Store

SCHEMA = Schema(
    part="places",
    migrations=(
        """
        CREATE TABLE places (
            document INTEGER PRIMARY KEY REFERENCES documents ON DELETE CASCADE,
            device INTEGER NOT NULL     -- of the file system its folder was on
        ) STRICT;
        """,
    ),
)


@dataclass(slots=True)
class Found:
    """What there is at some paths."""

    files: list[Path] = field(default_factory=list)
    """By name within each folder, each once."""
    folders: list[Path] = field(default_factory=list)
    """Those of the paths that are folders."""
    closed: list[Path] = field(default_factory=list)
    """Folders among or under them that cannot be looked into."""


def found_at(paths: list[Path]) -> Found:
    """Every file at or under these paths; in folders, hidden ones are left out."""
    found = Found()
    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.folders.append(path)
            files |= dict.fromkeys(_under(path, found.closed))
        else:
            files[path] = None
    found.files = list(files)
    return found


def _under(top: Path, closed: list[Path]) -> Iterator[Path]:
    def refused(error: OSError) -> None:
        closed.append(Path(error.filename))

    for folder, folders, files in os.walk(top, onerror=refused):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in sorted(files):
            if not _is_hidden(name):
                yield Path(folder) / name


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


class Places:
    """Which file systems documents were read from. To be opened after the `Index`."""

    def __init__(self, store: Store) -> None:
        store.bring(SCHEMA)
        self._store = store

    def remember(self, paths: Iterable[str]) -> None:
        """Which file systems the folders of these documents are on now."""
        devices = {folder: _device(folder) for folder in {_folder(path) for path in paths}}
        with self._store.writing() as connection:
            connection.executemany(
                "INSERT INTO places SELECT id, ?2 FROM documents WHERE path = ?1"
                " ON CONFLICT (document) DO UPDATE SET device = ?2 WHERE device <> ?2",
                (
                    (path, device)
                    for path in paths
                    if (device := devices[_folder(path)]) is not None
                ),
            )

    def compare(self, documents: Iterable[Document], found: Found) -> tuple[list[str], list[str]]:
        """Of the documents under the folders found, those deleted and those out of reach."""
        tops = [escaped(str(folder)) for folder in found.folders]
        there = {escaped(str(path)) for path in found.files}
        deleted: list[str] = []
        away: list[str] = []
        for document in documents if tops else ():
            path = document.path
            if path not in there and is_within(path, tops) and _is_absent(path):
                (deleted if self.is_deleted(path) else away).append(path)
        return deleted, away

    def is_deleted(self, path: str) -> bool:
        """Whether a file that is not there was deleted, as far as the folders above it tell."""
        above = _folder(path)
        while _is_absent(above):
            above = _folder(above)
        try:
            with os.scandir(above) as entries:
                if any(True for _ in entries):
                    return True
        except OSError:  # it may not be looked into
            return False
        return self._device_of(path) == _device(above)

    def _device_of(self, path: str) -> int | None:
        with self._store.reading() as connection:
            rows = list(
                connection.execute(
                    "SELECT device FROM places JOIN documents ON documents.id = document"
                    " WHERE path = ?",
                    (path,),
                )
            )
        return next((int(device) for (device,) in rows), None)


def _folder(path: str) -> str:
    return os.path.dirname(path)  # noqa: PTH120


def _device(folder: str) -> int | None:
    try:
        device = os.stat(folder).st_dev  # noqa: PTH116
    except OSError:
        return None
    return device if device < 2**63 else device - 2**64


def _is_absent(path: str) -> bool:
    """What may not be looked at is not absent."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False

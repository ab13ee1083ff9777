"""Weights that lie in folders as plain files: LM Studio, llama.cpp, GPT4All, Jan, or anybody's."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lumbre.registry.describe import pieces_of, slug
from lumbre.registry.scan import Found, Kind, trouble

_COMING = (".part", ".partial", ".incomplete", ".downloadinprogress", ".download", ".crdownload")
"""How browsers, LM Studio, the hub's library and llama.cpp (common/download.cpp) call a file
that is still coming."""
_NAMELESS = ("model", "weights", "ggml-model")
_MOST_ENTRIES = 200_000
"""A folder with more is somebody's whole disk."""


@dataclass(slots=True)
class Walk:
    """One walk through a folder, links followed, no folder twice."""

    troubles: list[tuple[Path, str]] = field(default_factory=list)
    """What could not be looked into, and why."""
    is_too_large: bool = False
    _seen: set[tuple[int, int]] = field(default_factory=set)
    _entries: int = 0

    def files(self, folder: Path) -> Iterator[tuple[Path, list[str]]]:
        """Each folder with the names of its files, both in order."""
        waiting = [folder]
        while waiting and not self.is_too_large:
            here = waiting.pop()
            try:
                facts = here.stat()
                with os.scandir(here) as entries:
                    listed = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                self.troubles.append((here, error.strerror or str(error)))
                continue
            if (facts.st_dev, facts.st_ino) in self._seen:
                continue
            self._seen.add((facts.st_dev, facts.st_ino))
            self._entries += len(listed)
            self.is_too_large = self._entries > _MOST_ENTRIES
            folders = [entry for entry in listed if _is_folder(entry)]
            names = [entry.name for entry in listed if entry not in folders]
            yield here, names
            waiting += [here / entry.name for entry in reversed(folders) if entry.name[0] != "."]


def is_one(folder: Path) -> bool:
    return folder.is_dir()


def found(folder: Path, kind: Kind) -> Iterator[Found]:
    walk = Walk()
    for here, names in walk.files(folder):
        yield from _in_folder(folder, here, names, kind)
    yield from unread(walk, folder, kind)


def unread(walk: Walk, folder: Path, kind: Kind) -> Iterator[Found]:
    """What a walk could not look into."""
    for path, why in walk.troubles:
        yield Found(kind, path.name, path, trouble=trouble("unreadable", why=why))
    if walk.is_too_large:
        yield Found(kind, folder.name, folder, trouble=trouble("too_many", entries=_MOST_ENTRIES))


def _in_folder(root: Path, here: Path, names: list[str], kind: Kind) -> Iterator[Found]:
    weights = [name for name in names if name.lower().endswith(".gguf")]
    for name in weights:
        path = here / name
        pieces = pieces_of(name)
        if pieces > 1:
            if f"-00001-of-{pieces:05d}" in name:
                yield Found(kind, _shown(root, path), path, trouble=trouble("split", pieces=pieces))
            continue
        named_by_folder = Path(name).stem.lower() in _NAMELESS and here != root
        suggested_id = slug(here.name) if named_by_folder else ""
        yield Found(kind, _shown(root, path), path, suggested_id=suggested_id)
    for name in names:
        if name.lower().endswith(_COMING):
            path = here / name
            yield Found(kind, _shown(root, path), path, trouble=trouble("coming"))
    other = next((name for name in names if name.lower().endswith(".safetensors")), None)
    if other is not None and not weights:
        yield Found(kind, _shown(root, here), here / other, trouble=trouble("safetensors"))


def _shown(root: Path, path: Path) -> str:
    return str(path.relative_to(root)) if path != root else root.name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False

"""Models in a cache of the Hugging Face hub, which llama.cpp uses too.

    models--OWNER--NAME/snapshots/COMMIT/PATH  ->  ../../blobs/HASH
    models--OWNER--NAME/refs/main                  the commit that is current

Large files are named by their sha256, small ones by a git hash.
Source: huggingface.co/docs/hub/local-cache.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lumbre.registry.scan import Found, Kind, trouble
from lumbre.registry.scan import _files as files

_REPOSITORY = "models--"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHORT = 7


def is_one(folder: Path) -> bool:
    try:
        return any(folder.glob(f"{_REPOSITORY}*"))
    except OSError:
        return False


def found(folder: Path, kind: Kind) -> Iterator[Found]:
    for repository in sorted(folder.glob(f"{_REPOSITORY}*")):
        if repository.is_dir():
            yield from _in_repository(repository, kind)


def _in_repository(repository: Path, kind: Kind) -> Iterator[Found]:
    name = repository.name.removeprefix(_REPOSITORY).replace("--", "/")
    current = _current(repository)
    seen: set[tuple[str, Path]] = set()
    for snapshot in _snapshots(repository, current):
        for item in files.found(snapshot, kind):
            blob = item.path.resolve() if item.path.is_symlink() else item.path
            mark = (item.name if item.trouble is None else str(item.trouble), blob)
            if mark in seen:
                continue
            seen.add(mark)
            at = "" if snapshot.name == current else f"@{snapshot.name[:_SHORT]}"
            shown = name if item.path == snapshot else f"{name}/{item.name}"
            if item.trouble is not None and item.path.suffix == ".safetensors":
                shown = name
            # A plain file, as where links may not be made, is named by nothing.
            is_sum = item.path.is_symlink() and _SHA256.fullmatch(blob.name)
            gone = item.trouble is None and not blob.exists()
            yield replace(
                item,
                name=shown + at,
                sha256=blob.name if is_sum else None,
                trouble=trouble("blob_missing", blob=blob.name) if gone else item.trouble,
            )
    for path in sorted((repository / "blobs").glob("*.incomplete")):
        yield Found(kind, f"{name}/{path.name[:12]}…", path, trouble=trouble("coming"))


def _current(repository: Path) -> str:
    try:
        return (repository / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def _snapshots(repository: Path, current: str) -> list[Path]:
    """The current one first: what others have too is shown as its."""
    try:
        every = sorted(path for path in (repository / "snapshots").iterdir() if path.is_dir())
    except OSError:
        return []
    if len(every) == 1 and not current:
        return every
    return sorted(every, key=lambda path: path.name != current)

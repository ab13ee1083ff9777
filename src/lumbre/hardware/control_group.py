"""The bounds a container or a service manager puts on us: Linux control groups, both versions.

A group's parents bound it too, so every level up to the mount is read. Where the path the
kernel names is not under the mount (a container that sees its own group as the root), the
mount itself is the group.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MOUNT = Path("sys/fs/cgroup")
_FILES = re.compile(r"^(?:in)?active_file ([0-9]+)", re.MULTILINE)
_FILES_V1 = re.compile(r"^total_(?:in)?active_file ([0-9]+)", re.MULTILINE)
_NO_LIMIT_BYTES = 2**60
"""Version 1 writes a number near 2**63 for none. Source: linux/page_counter.h PAGE_COUNTER_MAX."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Memory of one group that has a limit."""

    limit_bytes: int
    used_bytes: int
    """Without the file pages the kernel gives back when asked."""


def memory_bounds(root: Path = Path("/")) -> list[Bound]:
    """Every memory limit we live under, innermost first; empty when there is none."""
    found = []
    for folder, is_v2 in _folders(root, "memory"):
        limit = _number(folder / ("memory.max" if is_v2 else "memory.limit_in_bytes"))
        if limit is None or limit >= _NO_LIMIT_BYTES:
            continue
        usage = _number(folder / ("memory.current" if is_v2 else "memory.usage_in_bytes"))
        if usage is None:
            continue
        files = (_FILES if is_v2 else _FILES_V1).findall(_text(folder / "memory.stat") or "")
        found.append(Bound(limit, max(0, usage - sum(map(int, files)))))
    return found


def core_quotas(root: Path = Path("/")) -> list[float]:
    """Every bound on processor time we live under, in cores; empty when there is none."""
    found = []
    for folder, is_v2 in _folders(root, "cpu"):
        if is_v2:
            quota, _, period = (_text(folder / "cpu.max") or "max").partition(" ")
        else:
            quota = _text(folder / "cpu.cfs_quota_us") or "-1"
            period = _text(folder / "cpu.cfs_period_us") or ""
        if quota.isdecimal() and period.isdecimal() and int(period):
            found.append(int(quota) / int(period))
    return found


def _folders(root: Path, controller: str) -> Iterator[tuple[Path, bool]]:
    """The group of this process for a controller, then its parents; whether it is version 2."""
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        _, _, rest = line.partition(":")
        names, is_whole, path = rest.partition(":")
        if not is_whole:
            continue
        if not names:
            mount, is_v2 = root / _MOUNT, True
        elif controller in names.split(","):
            mount, is_v2 = _mount_v1(root, names, controller), False
        else:
            continue
        folder = mount / path.lstrip("/")
        if ".." in folder.parts or not folder.is_dir():
            folder = mount
        while True:
            yield folder, is_v2
            if folder == mount:
                break
            folder = folder.parent


def _mount_v1(root: Path, names: str, controller: str) -> Path:
    together = root / _MOUNT / names
    return together if together.is_dir() else root / _MOUNT / controller


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text and text.isdecimal() else None

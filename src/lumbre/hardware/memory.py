"""How much main memory there is, how much may be taken now, and what bounds it."""

import re
from pathlib import Path

import psutil

from lumbre.core.machine import Memory
from lumbre.hardware.control_group import memory_bounds

_COUNTS = re.compile(r"^(MemTotal|MemAvailable): *([0-9]+)", re.MULTILINE)
"""All of it is read twice a second, and two lines are of interest."""


def read_memory(root: Path = Path("/")) -> Memory:
    """The machine's memory as this process may use it.

    Pages of mapped files count as available, a model's weights too: the kernel would drop
    them. Whoever promises memory must keep them in its own books (`lumbre.pool.policy.decide`).
    """
    total_bytes, available_bytes = _machine(root)
    limit_bytes = None
    for bound in memory_bounds(root):
        available_bytes = min(available_bytes, max(0, bound.limit_bytes - bound.used_bytes))
        if bound.limit_bytes < total_bytes:
            limit_bytes = min(limit_bytes or bound.limit_bytes, bound.limit_bytes)
    return Memory(total_bytes, available_bytes, limit_bytes)


def _machine(root: Path) -> tuple[int, int]:
    """Total and available. Source: Documentation/filesystems/proc.rst, meminfo; kB are KiB."""
    try:
        text = (root / "proc/meminfo").read_text()
    except OSError:
        seen = psutil.virtual_memory()
        return int(seen.total), int(seen.available)
    counts = {name: int(kib) * 1024 for name, kib in _COUNTS.findall(text)}
    return counts["MemTotal"], counts["MemAvailable"]

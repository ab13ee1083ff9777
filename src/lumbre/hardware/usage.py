"""What a process really holds in memory, a page that several share counted once in all.

Proportional set size: adding it up over processes gives what they hold together, which
the resident size does not (three workers on one weights file: 348 MiB, not 576).
"""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import psutil


def family(pid: int) -> tuple[int, ...]:
    """A process and everything it has started that still runs, itself first."""
    found = [pid]
    for member in found:  # grows as it goes
        found += _children(member)
    return tuple(found)


def is_running(pid: int) -> bool:
    """Whether it still holds anything: one that only waits to be reaped does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a process and all it has started do, in one look."""

    cpu_s: float
    """Processor seconds until now of those that run now; by hundredths."""
    state: str
    """Of the one that is worst off: "T" stopped (also by a debugger), "Z" ended and not
    reaped, "D" waits for a disk, "S" sleeps, "R" runs; empty when nothing is left."""


def pulse(pid: int) -> Pulse:
    """How far a process and its children have got: a quarter of a millisecond for a worker of a
    dozen threads, so it may be asked every second."""
    seen = [_stat(member) for member in family(pid)]
    states = [state for _, state in seen if state]
    worst = min(states, key=lambda state: "TZDSR".find(state) % 6, default="")
    return Pulse(sum(cpu_s for cpu_s, _ in seen), worst)


def _stat(pid: int) -> tuple[float, str]:
    """Source: Documentation/filesystems/proc.rst, /proc/<pid>/stat: the name in brackets may
    hold anything; the state is the first field behind it, utime and stime the 12th and 13th."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return _stat_elsewhere(pid) if not Path("/proc/self/stat").exists() else (0.0, "")
    ticks = int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK"), fields[0].upper()


def _stat_elsewhere(pid: int) -> tuple[float, str]:
    letters = {
        psutil.STATUS_STOPPED: "T",
        psutil.STATUS_ZOMBIE: "Z",
        psutil.STATUS_DISK_SLEEP: "D",
        psutil.STATUS_RUNNING: "R",
    }
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        return times.user + times.system, letters.get(process.status(), "S")
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0, ""


def pss_bytes(pid: int) -> int:
    """Of one process; 0 when it is gone or not ours to look at."""
    counts = _rollup(pid)
    return _elsewhere(pid) if counts is None else counts.get("Pss", 0)


def private_bytes(pid: int) -> int:
    """Its part that cannot be dropped and read again from a file: all but mapped files.

    The kernel's own counter tells it a hundred times quicker than a walk over the pages, which
    is left to what shares memory.
    Source: Documentation/filesystems/proc.rst, status; kB are KiB.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        lines = []
    own = {name: rest for name, _, rest in (x.partition(":") for x in lines) if "Rss" in name}
    if own.get("RssShmem", "").split()[:1] == ["0"]:
        return int(own["RssAnon"].split()[0]) * 1024
    counts = _rollup(pid)
    if counts is None:
        return _elsewhere(pid)
    if "Pss_Anon" in counts:
        return counts["Pss_Anon"] + counts.get("Pss_Shmem", 0)
    return counts.get("Anonymous", 0)


def _children(pid: int) -> list[int]:
    """Source: Documentation/filesystems/proc.rst, /proc/<pid>/task/<tid>/children."""
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        lists = []
    if lists:
        return [int(child) for line in lists for child in line.split()]
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []


def beside_bytes(pid: int, files: Collection[Path]) -> int:
    """Of one process, without the pages of these files, which others may share and the system
    may drop; 0 when it is gone or not ours to look at.

    Pages of other files count whole, as if nobody else had them: a worker measured beside
    others holds the same as one alone. Only what this process maps as well (Python, the
    system's libraries) counts by its share.
    Source: Documentation/filesystems/proc.rst, smaps: a mapping's line ends with its path,
    the lines below it are its own.
    """
    names = {str(path) for path in files} | {str(path.resolve()) for path in files}
    try:
        lines = Path(f"/proc/{pid}/smaps").read_text().splitlines()
    except OSError:
        return _elsewhere(pid) if not Path("/proc/self/smaps").exists() else 0
    ours = _mapped()
    total_bytes = 0
    counted: tuple[str, ...] = ()
    for line in lines:
        first, _, rest = line.partition(" ")
        if not first.endswith(":"):
            path = "".join(line.split(maxsplit=5)[5:])
            if path in names:
                counted = ()
            elif path.startswith("/") and path not in ours:
                counted = ("Rss:", "SwapPss:")
            else:
                counted = ("Pss:", "SwapPss:")
        elif first in counted:
            total_bytes += int(rest.split()[0]) * 1024
    return total_bytes


def _mapped() -> frozenset[str]:
    """Files this process maps."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset("".join(line.split(maxsplit=5)[5:]) for line in lines)


def _rollup(pid: int) -> dict[str, int] | None:
    """Bytes by name; empty when there is nothing to see, None where the system has no PSS.

    Source: Documentation/filesystems/proc.rst, smaps_rollup; kB are KiB.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except FileNotFoundError:
        return {} if Path("/proc/self/smaps_rollup").exists() else None
    except (ProcessLookupError, PermissionError):
        return {}
    pairs = (line.partition(":") for line in lines[1:])
    return {name: int(rest.split()[0]) * 1024 for name, _, rest in pairs if rest}


def _elsewhere(pid: int) -> int:
    """What is the process's own (USS), which shared weights are not in."""
    try:
        return int(psutil.Process(pid).memory_full_info().uss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0

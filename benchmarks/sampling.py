"""What all processes below one hold of memory, every 100 ms, seen from outside it.

A process of its own, so that whoever is measured cannot keep it from looking: one JSON line for
each look, until its input closes. A page of a mapped file counts once in all, for the sum is of
proportional sizes; have the files to yourself.
"""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from lumbre.hardware.memory import read_memory
from lumbre.hardware.usage import family, pss_bytes

EVERY_S = 0.1


@contextmanager
def sampled(pid: int, into: Path) -> Iterator[None]:
    """Looks at the children of a process for as long as the block runs."""
    with into.open("wb") as file:
        watcher = Popen([sys.executable, __file__, str(pid)], stdin=PIPE, stdout=file)
        try:
            yield
        finally:
            watcher.communicate()


def read(path: Path) -> list[dict[str, Any]]:
    """Each look: `at_s` on the monotonic clock, `workers` by pid, `available_bytes`."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    parent = int(sys.argv[1])
    ends = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        ends.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    due_s = time.monotonic()
    while not ends.wait(max(0.0, due_s - time.monotonic())):
        at_s = time.monotonic()
        due_s = max(due_s + EVERY_S, at_s)
        pids = [pid for pid in family(parent)[1:] if _is_worker(pid)]
        look = {
            "at_s": at_s,
            "workers": {pid: pss_bytes(pid) for pid in pids},
            "available_bytes": read_memory().available_bytes,
            "took_s": time.monotonic() - at_s,
        }
        sys.stdout.write(json.dumps(look) + "\n")
        sys.stdout.flush()


def _is_worker(pid: int) -> bool:
    """Of models: not this program, nor the one that asks an engine for its dry run."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"lumbre.workers." in words and b"dry_run" not in words


if __name__ == "__main__":
    main()

"""Does anything stay behind when a model is loaded and unloaded a thousand times?

Each cycle is a lease, one token, and an unload by hand that is seen through; every second one is
a turn of one of ten talks, whose state is restored and saved again. The process that keeps the pool
is this one: its memory (its proportional share), open files and threads, the processes below it
and what the whole machine has available are looked at as it goes.
"""

import argparse
import asyncio
import gc
import os
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from homes import Model, answer, household, question

from lumbre.config import Folders
from lumbre.hardware.memory import read_memory
from lumbre.hardware.usage import pss_bytes
from lumbre.runtime import Runtime
from recording import about, figure, keep

WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
MIB = 2**20
MOST_DRIFT_MIB = 64
EVERY = 50
WARM = 100
"""Cycles until what grows once (imports, caches) has grown."""
ONE_TOKEN = question("Say yes.", 1)
TALKS = 10


def look(cycle: int) -> dict[str, Any]:
    gc.collect()  # what waits to be collected has not drifted
    ours = psutil.Process()
    return {
        "cycle": cycle,
        "pss_bytes": pss_bytes(os.getpid()),
        "available_bytes": read_memory().available_bytes,
        "open_files": ours.num_fds(),
        "threads": threading.active_count(),
        "children": len(ours.children(recursive=True)),
    }


async def warm(runtime: Runtime) -> None:
    """Have every thread there that a loop may use for waiting, each with its own connection to
    the store: else they come one by one, when two are needed at once for the first time."""
    count = min(32, (os.cpu_count() or 1) + 4)  # as concurrent.futures has it
    all_there = threading.Barrier(count)

    def one() -> None:
        all_there.wait()
        runtime.planning.records.errors()

    await asyncio.gather(*(asyncio.to_thread(one) for _ in range(count)))


async def run(weights: Path, cycles: int) -> tuple[list[dict[str, Any]], int]:
    with tempfile.TemporaryDirectory() as name:
        model = Model("measured", weights, 2048, "primary")
        async with household(Path(name) / "home", [model]) as runtime:
            await warm(runtime)
            curve = []
            for cycle in range(1, cycles + 1):
                talk = None if cycle % 2 else cycle // 2 % TALKS + 1
                await answer(runtime, model.id, replace(ONE_TOKEN, conversation=talk))
                await runtime.pool.unload(model.id)
                if cycle % EVERY == 0 or cycle == 1:
                    curve.append(look(cycle))
                    print(curve[-1], flush=True)
            loads = runtime.pool.counters.loads[model.id]
    return curve, loads


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--cycles", type=int, default=1000)
    chosen = ask.parse_args()
    facts = about()
    begun = time.monotonic()
    curve, loads = asyncio.run(run(Folders.of(os.environ).weights / WEIGHTS, chosen.cycles))
    first = next((seen for seen in curve if seen["cycle"] >= WARM), curve[0])
    last = curve[-1]

    def grown(name: str) -> int:
        return int(last[name] - first[name])

    rows = [
        figure("memory of the household", grown("pss_bytes") / MIB, MOST_DRIFT_MIB, "MiB"),
        figure("open files, more", grown("open_files"), 0, ""),
        figure("threads, more", grown("threads"), 0, ""),
        figure("children at any look", max(seen["children"] for seen in curve), 0, ""),
        figure("cycles without a load of their own", chosen.cycles - loads, 0, ""),
    ]
    result = {
        "figures": rows,
        "model": WEIGHTS,
        "cycles": chosen.cycles,
        "from_cycle": first["cycle"],
        "less_available_on_the_machine_mib": round(-grown("available_bytes") / MIB, 1),
        "seconds": round(time.monotonic() - begun, 1),
        "curve": curve,
    }
    print(f"the machine has {result['less_available_on_the_machine_mib']} MiB less available")
    print(keep("cycles", facts, result))
    return 0 if all(row["holds"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

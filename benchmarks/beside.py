"""How much slower does a loaded model answer while another one loads?

The small model answers one short question after the other: in quiet for as long as a load takes,
then while a larger one is loaded, from its request to its first token; then that one is unloaded
and it begins anew. Quiet and loading take turns within one run, so that what else the machine does
weighs on both. A request counts as one of the load if any part of it fell into it.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from homes import Model, answer, household, question
from intervals import interval_95, percentile

from lumbre.config import Folders
from lumbre.runtime import Runtime
from recording import about, figure, keep

SMALL = "SmolLM2-135M-Instruct.Q4_1.gguf"
LARGE = "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
MOST_OF_QUIET = 1.2
ASKED = "Name {} colours."
TOKENS = 24
Turn = tuple[list[float], list[float], float]
"""Seconds of each answer in quiet and during a load, and of the load."""


async def answers(runtime: Runtime, until: asyncio.Event) -> list[float]:
    """Seconds of each, one after the other."""
    seconds: list[float] = []
    while not until.is_set():
        begun = time.perf_counter()
        await answer(runtime, "small", question(ASKED.format(len(seconds) % 7 + 2), TOKENS))
        seconds.append(time.perf_counter() - begun)
    return seconds


async def quiet(runtime: Runtime, length_s: float) -> list[float]:
    until = asyncio.Event()
    asyncio.get_running_loop().call_later(length_s, until.set)
    return await answers(runtime, until)


async def loading(runtime: Runtime) -> tuple[list[float], float]:
    until = asyncio.Event()
    asking = asyncio.create_task(answers(runtime, until))
    load_s = await runtime.load(runtime.registry.get("large"))
    until.set()
    return await asking, load_s


async def turns(small: Path, large: Path, count: int) -> list[Turn]:
    with tempfile.TemporaryDirectory() as name:
        models = [Model("small", small, 2048, "primary"), Model("large", large, 2048)]
        async with household(Path(name) / "home", models) as runtime:
            await answer(runtime, "small", question(ASKED, TOKENS))
            seen: list[Turn] = []
            load_s = 2.0
            for turn in range(count + 1):
                before = await quiet(runtime, load_s / 2)
                during, load_s = await loading(runtime)
                await runtime.pool.unload("large")
                after = await quiet(runtime, load_s / 2)
                if turn:  # the first warms what is warm ever after
                    seen.append((before + after, during, load_s))
            return seen


def of_quiet(seen: Sequence[Turn], share: float = 0.99) -> float:
    in_quiet = [seconds for turn in seen for seconds in turn[0]]
    during = [seconds for turn in seen for seconds in turn[1]]
    return percentile(during, share) / percentile(in_quiet, share)


def told(seen: Sequence[Turn]) -> dict[str, Any]:
    def shown(values: Sequence[float]) -> dict[str, Any]:
        return {
            "answers": len(values),
            "median_s": round(statistics.median(values), 4),
            "p90_s": round(percentile(values, 0.9), 4),
            "p99_s": round(percentile(values, 0.99), 4),
            "most_s": round(max(values), 4),
        }

    return {
        "p99_of_quiet": round(of_quiet(seen), 4),
        "interval_95": [round(value, 4) for value in interval_95(seen, of_quiet)],
        "median_of_quiet": round(of_quiet(seen, 0.5), 4),
        "quiet": shown([seconds for turn in seen for seconds in turn[0]]),
        "loading": shown([seconds for turn in seen for seconds in turn[1]]),
        "load_median_s": round(statistics.median(turn[2] for turn in seen), 3),
        "turns": [
            {
                "quiet_s": [round(value, 4) for value in turn[0]],
                "loading_s": [round(value, 4) for value in turn[1]],
                "load_s": round(turn[2], 3),
            }
            for turn in seen
        ],
    }


def main() -> int:
    weights = Folders.of(os.environ).weights
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("large", type=Path, nargs="*", default=[weights / LARGE])
    ask.add_argument("--repetitions", type=int, default=20)
    chosen = ask.parse_args()
    facts = about()
    rows, result = [], {}
    for path in chosen.large:
        seen = asyncio.run(turns(weights / SMALL, path, chosen.repetitions))
        result[path.name] = told(seen)
        rows.append(
            figure(f"p99 of quiet, while {path.name} loads", of_quiet(seen), MOST_OF_QUIET, "")
        )
        print({name: value for name, value in result[path.name].items() if name != "turns"})
    keep("beside", facts, {"figures": rows, "answering": SMALL, "loading": result})
    return 0 if all(row["holds"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

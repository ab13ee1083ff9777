"""What does the pool add to a cold first token, over the same worker started by hand?

Through the pool: the model is not loaded; from the request to the runtime until its first text.
By hand: the same worker with the same orders, written down beforehand (no plan, no checksum, no
look at memory, no pool): from the start of its process, over the line that tells its address, to
the first text of the same request, which is the first it ever hears. The pool trusts a worker
only after a token of its own, so a third leg does that by hand too, and is told beside it.
Pairs in turns, the order changing; weights are in the page cache in all of them.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from homes import Model, household, question
from intervals import interval_95

from lumbre import backends
from lumbre.config import Folders
from lumbre.core.backend import Chats
from lumbre.core.generation import Delta
from lumbre.pool.lease import Prepared
from lumbre.pool.worker import Worker, new_key
from lumbre.runtime import Runtime
from recording import about, figure, keep

MOST_OF_BY_HAND = 1.05
REQUEST = question("Please name a colour.", 4)
Pair = tuple[float, float, float]
"""Seconds through the pool, by hand, and by hand with a proof that it gives a token."""


async def through_pool(runtime: Runtime, model: str) -> float:
    begun = time.perf_counter()
    seconds = await first_text(runtime.chat(REQUEST, model), begun)
    await runtime.pool.unload(model)
    return seconds


async def by_hand(prepared: Prepared, log: Path, *, is_proved: bool) -> float:
    backend = backends.find(prepared.engine or prepared.manifest.engine)
    begun = time.perf_counter()
    launch = backend.launch(prepared.manifest, prepared.files, prepared.settings, new_key())
    worker = await Worker.start(launch, prepared.manifest.id, log)
    engine = backend.connect(prepared.manifest, worker.url, worker.key)
    try:
        if is_proved:
            await engine.ready()
        assert isinstance(engine, Chats)
        return await first_text(engine.chat(REQUEST), begun)
    finally:
        await engine.close()
        await worker.stop()


async def first_text(answer: AsyncGenerator[Delta, None], begun: float) -> float:
    """From `begun`; the answer is read to its end."""
    seconds = 0.0
    async with aclosing(answer) as deltas:
        async for delta in deltas:
            if delta.text and not seconds:
                seconds = time.perf_counter() - begun
    assert seconds, "no text came"
    return seconds


async def pairs(weights: Path, count: int) -> list[Pair]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = Model("measured", weights, 4096, "primary")
        async with household(folder / "home", [model]) as runtime:
            async with runtime.pool.lease(model.id) as lease:
                prepared = lease.prepared
            await runtime.pool.unload(model.id)
            log = folder / "by-hand.log"
            seen = []
            for turn in range(count + 1):
                legs = {"pool": 0.0, "hand": 0.0, "proved": 0.0}
                for leg in list(legs) if turn % 2 else reversed(list(legs)):
                    legs[leg] = (
                        await through_pool(runtime, model.id)
                        if leg == "pool"
                        else await by_hand(prepared, log, is_proved=leg == "proved")
                    )
                seen.append((legs["pool"], legs["hand"], legs["proved"]))
            return seen[1:]  # the first of all warms what is warm ever after


def of_by_hand(seen: Sequence[Pair]) -> float:
    return statistics.median(pool for pool, _, _ in seen) / statistics.median(
        hand for _, hand, _ in seen
    )


def of_proved(seen: Sequence[Pair]) -> float:
    return statistics.median(pool for pool, _, _ in seen) / statistics.median(
        proved for _, _, proved in seen
    )


def told(seen: Sequence[Pair]) -> dict[str, Any]:
    def rounded(values: Sequence[float]) -> list[float]:
        return [round(value, 4) for value in values]

    return {
        "of_by_hand": round(of_by_hand(seen), 4),
        "interval_95": rounded(interval_95(seen, of_by_hand)),
        "of_by_hand_with_a_proof": round(of_proved(seen), 4),
        "interval_95_with_a_proof": rounded(interval_95(seen, of_proved)),
        "pool_median_s": round(statistics.median(pool for pool, _, _ in seen), 4),
        "by_hand_median_s": round(statistics.median(hand for _, hand, _ in seen), 4),
        "pool_s": rounded([pool for pool, _, _ in seen]),
        "by_hand_s": rounded([hand for _, hand, _ in seen]),
        "by_hand_with_a_proof_s": rounded([proved for _, _, proved in seen]),
    }


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("weights", type=Path, nargs="*", help="GGUFs; else all in the weights folder")
    ask.add_argument("--pairs", type=int, default=20)
    chosen = ask.parse_args()
    facts = about()
    rows, result = [], {}
    for path in chosen.weights or sorted(Folders.of(os.environ).weights.glob("*.gguf")):
        seen = asyncio.run(pairs(path, chosen.pairs))
        result[path.name] = told(seen)
        rows.append(
            figure(
                f"cold first token, of by hand: {path.name}",
                of_by_hand(seen),
                MOST_OF_BY_HAND,
                "",
            )
        )
        print({k: v for k, v in result[path.name].items() if not k.endswith("_s") or "median" in k})
    keep("cold", facts, {"figures": rows, "models": result})
    return 0 if all(row["holds"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

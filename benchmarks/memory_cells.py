"""Measure what a worker holds with every slot full, cell by cell; goes on where it stopped.

Plans are not asked here: what was measured once can be held against any later plan
(`benchmarks/memory.py`). A row is one worker, alone with its weights file.
"""

import argparse
import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import aiohttp

from lumbre import backends
from lumbre.core.backend import KvType, LoadMode, WorkerSettings
from lumbre.core.model import Manifest
from lumbre.pool.worker import Worker, new_key

CONTEXTS = (512, 2048, 8192)
SLOTS = (1, 4)
_PART_TOKENS = 8
"""Left in each slot for the tokens written after the prompt."""


def cells(contexts: tuple[int, ...] = CONTEXTS) -> Iterator[WorkerSettings]:
    """Every way of running a model that is measured."""
    for context, load_mode, extra, kv_type, slots in itertools.product(
        contexts, get_args(LoadMode), (True, False), get_args(KvType), SLOTS
    ):
        yield WorkerSettings(
            context_tokens=context,
            load_mode=load_mode,
            extra_buffers=extra,
            kv_type=kv_type,
            slots=slots,
            cache_ram_mib=0,
        )


def key_of(weights: Path, settings: WorkerSettings) -> str:
    """A cell's name in the file of results: threads do not matter to memory."""
    s = settings
    extra = "extra" if s.extra_buffers else "plain"
    shape = f"{s.context_tokens}/{s.kv_type}/{s.slots}/{s.batch_tokens}"
    return f"{weights.name}/{s.load_mode}/{extra}/{shape}"


async def measure(weights: Path, settings: WorkerSettings, log: Path) -> dict[str, Any]:
    """Bytes of a worker once it is ready, and once every slot is full."""
    manifest = Manifest(
        id="measured", family="measured", role="secondary", format="gguf",
        capabilities=("chat",), revision="1", path=str(weights),
    )  # fmt: skip
    backend = backends.find("llama_cpp")
    launch = backend.launch(manifest, {"weights": weights}, settings, new_key())
    worker = await Worker.start(launch, manifest.id, log)
    engine = backend.connect(manifest, worker.url, worker.key)
    try:
        await engine.ready()
        ready = held(worker, weights)
        begun = time.monotonic()
        await fill(worker, settings)
        return {"ready": ready, "full": held(worker, weights), "fill_s": time.monotonic() - begun}
    finally:
        await engine.close()
        await worker.stop()


async def fill(worker: Worker, settings: WorkerSettings) -> None:
    """Have every slot read a prompt as long as its share of the context."""
    each = settings.context_tokens // settings.slots - _PART_TOKENS
    timeout = aiohttp.ClientTimeout(total=None)
    headers = {"Authorization": f"Bearer {worker.key}"}
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:

        async def one(slot: int) -> None:
            prompt = [1000 + (slot * 997 + i * 31) % 20000 for i in range(each)]
            body = {"prompt": prompt, "n_predict": 4, "id_slot": slot, "ignore_eos": True}
            async with session.post(f"{worker.url}/completion", json=body) as answer:
                answer.raise_for_status()
                told = await answer.json()
                read = told["tokens_evaluated"]
                assert read == each, (read, each)

        await asyncio.gather(*(one(slot) for slot in range(settings.slots)))


def held(worker: Worker, weights: Path) -> dict[str, int]:
    """Bytes of a worker: all, and what is not a page of its mapped weights."""
    return {"pss_bytes": worker.pss_bytes(), "beside_bytes": worker.beside_bytes({weights})}


def read_rows(path: Path) -> dict[str, dict[str, Any]]:
    """What was measured so far, by cell."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {row["cell"]: row for row in map(json.loads, lines)}


def complete(
    models: Sequence[Path], rows: Path, contexts: tuple[int, ...] = CONTEXTS, *, threads: int = 1
) -> None:
    """Measure every cell that the file of rows does not have yet."""
    done = read_rows(rows)
    for weights, settings in itertools.product(models, cells(contexts)):
        cell = key_of(weights, settings)
        if cell in done:
            continue
        asked = replace(settings, prompt_threads=threads)
        row = asyncio.run(measure(weights, asked, rows.with_suffix(".log")))
        with rows.open("a") as out:
            print(json.dumps({"cell": cell, **row}), file=out)
        print(cell, round(row["full"]["pss_bytes"] / 2**20, 1), "MiB", file=sys.stderr)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("weights", type=Path, nargs="+")
    ask.add_argument("--rows", type=Path, required=True)
    ask.add_argument("--threads", type=int, default=1)
    ask.add_argument("--contexts", type=int, nargs="+", default=CONTEXTS)
    chosen = ask.parse_args()
    complete(chosen.weights, chosen.rows, tuple(chosen.contexts), threads=chosen.threads)


if __name__ == "__main__":
    main()

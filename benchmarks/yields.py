"""How long until a household has given back the memory that another program took?

Three real workers on an imagined machine that has just room for them, and a real program that
takes most of it. Timed from the moment the program holds it until the last of those that yield
was seen gone; the primary answers meanwhile and after.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from contextlib import aclosing
from pathlib import Path

from homes import Model, manifest_of

from lumbre.config.load import load
from lumbre.core.backend import Chats, WorkerSettings
from lumbre.core.generation import ChatRequest
from lumbre.core.machine import CPU, Memory
from lumbre.core.messages import Message
from lumbre.core.model import Role
from lumbre.core.plan import Footprint
from lumbre.hardware.usage import private_bytes
from lumbre.pool.lease import Limits, Prepared
from lumbre.pool.pool import Pool
from recording import about, figure, keep

MIB = 2**20
SMALL = "SmolLM2-135M-Instruct.Q4_1.gguf"
MACHINE_BYTES, RESERVE_BYTES, NEED_BYTES, TAKEN_BYTES = 1400 * MIB, 100 * MIB, 250 * MIB, 1000 * MIB
MOST_S = 2.0
HELLO = ChatRequest((Message("user", "Say hello."),), max_output_tokens=4, temperature=0.0)
_HOG = f"import sys; kept = bytearray(b'x') * {TAKEN_BYTES}; print(1, flush=True); sys.stdin.read()"


def another_program() -> "subprocess.Popen[bytes]":
    """One that takes its memory when it is told to, and says so."""
    line = "import sys; sys.stdin.readline(); " + _HOG
    command = [sys.executable, "-c", line]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


async def once(weights: Path, logs: Path) -> float:
    """Seconds until both that may yield are gone."""
    others: list[int] = []

    async def prepare(model: str) -> Prepared:
        role: Role = "primary" if model == "primary" else "secondary"
        return Prepared(
            manifest=manifest_of(Model(model, weights, 512, role)),
            files={"weights": weights},
            settings=WorkerSettings(context_tokens=512, load_mode="read"),
            need={CPU: Footprint(weights_bytes=NEED_BYTES)},
            idle_s=None if model == "primary" else 300.0,
        )

    def memory() -> Memory:
        used_bytes = pool.held_bytes() + sum(map(private_bytes, others))
        return Memory(MACHINE_BYTES, MACHINE_BYTES - used_bytes)

    async def chat(model: str) -> None:
        async with pool.lease(model) as lease:
            assert isinstance(lease.engine, Chats)
            async with aclosing(lease.engine.chat(HELLO)) as deltas:
                async for _ in deltas:
                    pass

    pool = Pool(prepare, memory, logs, limits=Limits(reserve={CPU: RESERVE_BYTES}))
    hog = another_program()
    assert hog.stdin
    assert hog.stdout
    try:
        for model in ("primary", "second", "third"):
            await chat(model)
        others.append(hog.pid)
        hog.stdin.write(b"\n")
        hog.stdin.flush()
        await asyncio.to_thread(hog.stdout.readline)
        begun = time.monotonic()
        while len(pool.pids()) > 1:  # noqa: ASYNC110 - the pool is looked at, as by anybody
            await asyncio.sleep(0.01)
        took_s = time.monotonic() - begun
        await chat("primary")
        return took_s
    finally:
        await pool.close()
        hog.communicate()


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--times", type=int, default=10)
    chosen = ask.parse_args()
    facts = about()
    weights = load(os.environ).folders.weights / SMALL
    with tempfile.TemporaryDirectory() as logs:
        took_s = [asyncio.run(once(weights, Path(logs))) for _ in range(chosen.times)]
    row = figure("memory given back to another program, the longest", max(took_s), MOST_S, "s")
    keep("yields", facts, {"figures": [row], "seconds": [round(one, 3) for one in took_s]})
    return 0 if row["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())

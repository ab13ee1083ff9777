"""What does a talk of 4,000 tokens take to go on after its model was unloaded and loaded again?

Each pair is a return with the state that was saved, and one that reads everything again, in
turns, through the pool, so that what else the machine does weighs on both sides. Loading is
the same for both and told apart. `python benchmarks/swap.py [WEIGHTS.gguf ...]`: the small
model of the household where none is named.
"""

import argparse
import asyncio
import hashlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

from intervals import interval_95

from lumbre.config import Folders
from lumbre.core.backend import Chats, WorkerSettings
from lumbre.core.generation import ChatRequest, Usage
from lumbre.core.messages import Message
from lumbre.core.model import Manifest
from lumbre.core.plan import Footprint
from lumbre.hardware.memory import read_memory
from lumbre.pool.lease import Prepared
from lumbre.pool.pool import Pool
from lumbre.pool.talks.states import States
from lumbre.pool.talks.talks import Talks
from recording import about, figure, keep

PAIRS = 5
PROMPT_TOKENS = 4000
CONTEXT_TOKENS = 8192
AT_MOST = 0.2
SMALL = "SmolLM2-135M-Instruct.Q4_1.gguf"
RULES = Message("system", "You keep the log of a lighthouse and answer from it.")


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def prepared(weights: Path, home: Path) -> Prepared:
    return Prepared(
        manifest=Manifest(
            id="swapped",
            family="swapped",
            role="primary",
            format="gguf",
            capabilities=("chat",),
            revision="1",
            path=weights.name,
            checksum_sha256=sha256(weights),
        ),
        files={"weights": weights},
        settings=WorkerSettings(
            context_tokens=CONTEXT_TOKENS, batch_tokens=512, states_folder=str(home / "states")
        ),
        need={"cpu": Footprint(weights_bytes=weights.stat().st_size)},
        idle_s=None,
    )


async def first_token(
    pool: Pool, conversation: int | None, messages: Sequence[Message]
) -> tuple[float, float, Usage]:
    """Seconds for the load, seconds from there to the first text, and what the engine counted."""
    request = ChatRequest(tuple(messages), 8, temperature=0.0, conversation=conversation)
    text_s, usage = 0.0, None
    async with pool.lease("swapped") as lease:
        begun = time.monotonic()
        async with aclosing(pool.talks.chat(lease, request)) as deltas:
            async for delta in deltas:
                if delta.text and not text_s:
                    text_s = time.monotonic() - begun
                usage = delta.usage or usage
    assert usage is not None
    return lease.waited_s, text_s, usage


async def log_book(pool: Pool) -> list[Message]:
    """A talk whose prompt has about so many tokens."""
    async with pool.lease("swapped") as lease:
        assert isinstance(lease.engine, Chats)
        line = "Night {}: wind from the west, two ships passed, the lamp burned until dawn. "

        def talk(lines: int) -> list[Message]:
            return [RULES, Message("user", "".join(line.format(n) for n in range(lines)))]

        few, many = await lease.engine.count(talk(10)), await lease.engine.count(talk(110))
        return talk(round((PROMPT_TOKENS - few) / ((many - few) / 100)) + 10)


async def measure(weights: Path, home: Path) -> dict[str, object]:
    made = await asyncio.to_thread(prepared, weights, home)

    async def prepare(_: str) -> Prepared:
        return made

    states = States(home / "states", 2 * 2**30)
    pool = Pool(prepare, read_memory, home / "logs", talks=Talks(states))
    pairs: list[dict[str, float]] = []
    try:
        talk = await log_book(pool)
        _, _, usage = await first_token(pool, 1, talk)
        asked = [*talk, Message("assistant", "Noted."), Message("user", "How was the wind?")]
        for _ in range(PAIRS):
            begun = time.monotonic()
            await pool.unload("swapped")
            saved_s = time.monotonic() - begun
            state_bytes = states.total_bytes()
            loaded_s, returned_s, had = await first_token(pool, 1, asked)
            await pool.unload("swapped")
            reloaded_s, read_s, anew = await first_token(pool, None, asked)
            pairs.append(
                {
                    "unload_s": saved_s,
                    "state_bytes": state_bytes,
                    "load_s": loaded_s,
                    "return_s": returned_s,
                    "return_cached_tokens": had.cached_tokens,
                    "load_again_s": reloaded_s,
                    "read_again_s": read_s,
                    "read_again_cached_tokens": anew.cached_tokens,
                    "prompt_tokens": anew.prompt_tokens,
                }
            )
            print(f"{weights.name}: {returned_s:.2f} s, {read_s:.2f} s reading again", flush=True)
        counts = pool.talks.counts
        assert not counts.misses, counts.misses
        assert all(pair["return_cached_tokens"] >= usage.prompt_tokens - 16 for pair in pairs)
    finally:
        await pool.close()
    ratios = [pair["return_s"] / pair["read_again_s"] for pair in pairs]
    low, high = interval_95(ratios, statistics.median)
    whole = [
        (pair["load_s"] + pair["return_s"]) / (pair["load_again_s"] + pair["read_again_s"])
        for pair in pairs
    ]
    return {
        "weights": weights.name,
        "prompt_tokens": int(pairs[0]["prompt_tokens"]),
        "ratio": statistics.median(ratios),
        "ratio_interval_95": [round(low, 4), round(high, 4)],
        "ratio_with_both_loads": round(statistics.median(whole), 4),
        "pairs": [{name: round(value, 4) for name, value in pair.items()} for pair in pairs],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", nargs="*", type=Path)
    paths = parser.parse_args().weights or [Folders.of(dict(os.environ)).weights / SMALL]
    facts = about()
    results = []
    for path in paths:
        with tempfile.TemporaryDirectory() as home:
            results.append(asyncio.run(measure(path.absolute(), Path(home))))
    figures = [
        figure(
            f"return of a {found['prompt_tokens']}-token prompt, of re-reading it: "
            f"{found['weights']}",
            float(str(found["ratio"])),
            AT_MOST,
            "",
        )
        for found in results
    ]
    keep("swap", facts, {"figures": figures, "models": results})
    return 0 if all(one["holds"] for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Does a household in too little room answer everybody, and ever take more than it may?

A published trace, run for real: each GGUF at two contexts, so twice as many models as files,
in room for two of them, the embedding model resident. Memory is looked at every 100 ms by a
process of its own. Some callers leave in the middle of an answer, some before it begins.
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from homes import Model, household, question
from sampling import EVERY_S, read, sampled

from lumbre.config import Folders
from lumbre.core.machine import CPU
from lumbre.runtime import Runtime
from recording import about, figure, keep

TRACE = Path(__file__).parent / "traces" / "zipf_mild.json"
CONTEXTS_TOKENS = (1024, 4096)
GAP_S = 1.2
"""Between two requests, in the mean: most then meet others that wait."""
ANSWER_TOKENS = 12
LEAVES_EARLY, LEAVES_WAITING = 0.08, 0.05
EMBEDS = 0.25
TEXT = "Which colours has the sky in the evening, and why is that so?"
TEXTS = ("The sky is blue by day.", "In the evening it is red.", "El cielo es azul.")
EMBEDDER = "use-multilingual-v3"


@dataclass
class Seen:
    """What came of the requests."""

    answered: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    texts: dict[str, Counter[str]] = field(default_factory=dict)
    promised: dict[int, tuple[str, int]] = field(default_factory=dict)
    """By process: its model and the bytes it was promised."""
    most_promised_bytes: int = 0
    most_loaded: int = 0


def requests(path: Path, models: Sequence[str], count: int, seed: int) -> list[tuple[float, str]]:
    """The trace's first requests of as many of its models as there are here, the most asked for
    first: when, and which. Its seconds are scaled to our gap."""
    told = json.loads(path.read_text(encoding="utf-8"))["requests"]
    often = Counter(model for _, model, _ in told)
    named = dict(zip([model for model, _ in often.most_common()], models, strict=False))
    chosen = [(at_s, named[model]) for at_s, model, _ in told if model in named][:count]
    share = GAP_S * len(chosen) / chosen[-1][0]
    dice = random.Random(seed)
    asked = [(at_s * share, model) for at_s, model in chosen]
    asked += [(at_s, EMBEDDER) for at_s, _ in asked if dice.random() < EMBEDS]
    return sorted(asked)


async def ask(runtime: Runtime, model: str, whim: str, seen: Seen) -> None:
    """One request, to its end or until its caller leaves."""
    begun = time.monotonic()
    try:
        if model == EMBEDDER:
            vectors = await runtime.embed(TEXTS)
            assert vectors.shape == (len(TEXTS), 512)
            text = str(np.round(vectors[:, :4], 4).tolist())
        else:
            said = await chat(runtime, model, whim, seen, begun)
            if said is None:
                seen.left[model] += 1
                return
            text = said
        seen.texts.setdefault(model, Counter())[text] += 1
        seen.answered[model] += 1
    except Exception as error:  # whatever it was, it is a failure of the household
        seen.failures.append(f"{model}: {error!r}")


async def chat(runtime: Runtime, model: str, whim: str, seen: Seen, begun: float) -> str | None:
    """None: its caller left."""
    text, finish = "", None
    request = question(TEXT, ANSWER_TOKENS)
    async with aclosing(runtime.chat(request, model)) as deltas:
        async for delta in deltas:
            if delta.text and not text:
                seen.waits_s.append(time.monotonic() - begun)
            text += delta.text
            finish = delta.finish or finish
            if text and whim == "early":
                return None
    assert text and finish, "an answer without an end"
    return text


async def follow(runtime: Runtime, seen: Seen) -> None:
    """What the pool promises, in its own books, as often as the loop turns to us."""
    pool = runtime.pool
    while True:
        for device in pool.devices():
            if device.id == CPU:
                seen.most_promised_bytes = max(seen.most_promised_bytes, device.committed_bytes)
        for view in await pool.views():
            if view.pid is not None:
                seen.promised[view.pid] = (view.model, view.planned[CPU])
        await asyncio.sleep(EVERY_S / 2)


async def play(runtime: Runtime, asked: Sequence[tuple[float, str]], seed: int) -> Seen:
    """Every request at its time, whether or not those before it were answered."""
    seen, dice = Seen(), random.Random(seed)
    await runtime.warm_embedder()
    following = asyncio.create_task(follow(runtime, seen))
    begun, tasks = time.monotonic(), []
    for at_s, model in asked:
        await asyncio.sleep(max(0.0, begun + at_s - time.monotonic()))
        drawn = dice.random()
        is_early = drawn < LEAVES_EARLY
        task = asyncio.create_task(ask(runtime, model, "early" if is_early else "", seen))
        tasks.append((model, task))
        if LEAVES_EARLY <= drawn < LEAVES_EARLY + LEAVES_WAITING:
            asyncio.get_running_loop().call_later(0.3, task.cancel)
    for model, task in tasks:
        with suppress(asyncio.CancelledError):
            await task
        seen.left[model] += task.cancelled()
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
    return seen


async def needs(runtime: Runtime, models: Sequence[str]) -> dict[str, int]:
    """Bytes each model is promised when there is room enough."""
    return {
        model: (await runtime._prepare(model)).need[CPU].total_bytes
        for model in (*models, EMBEDDER)
    }


def rooms(need: Mapping[str, int]) -> dict[str, dict[str, str]]:
    """Settings that leave room for two chat models: two by number, or two sizes by bytes."""
    sizes = sorted((size for model, size in need.items() if model != EMBEDDER), reverse=True)
    resident = need[EMBEDDER]
    middle = sizes[len(sizes) // 2]

    def cap(size_bytes: int) -> str:
        return f"{size_bytes * 1.01 / 1e9:.4f}"

    return {
        "the_two_largest_and_never_three": {
            "MEMORY__MAX_RAM_GB": cap(resident + sizes[0] + sizes[1]),
            "MEMORY__MAX_CONCURRENT_LLMS": "2",
        },
        "the_largest_and_a_middle_one": {"MEMORY__MAX_RAM_GB": cap(resident + sizes[0] + middle)},
    }


async def run(
    home: Path, models: Sequence[Model], settings: Mapping[str, str], count: int, seed: int
) -> dict[str, Any]:
    cap_bytes = round(float(settings["MEMORY__MAX_RAM_GB"]) * 1e9)
    async with household(home, models, settings, with_embedder=True) as runtime:
        asked = requests(TRACE, [model.id for model in models], count, seed)
        looks = home / "looks.jsonl"
        begun = time.monotonic()
        with sampled(os.getpid(), looks):
            seen = await play(runtime, asked, seed)
        took_s = time.monotonic() - begun
        counters = runtime.pool.counters
        stops: Counter[str] = Counter()
        for (_, why), number in counters.stops.items():
            stops[why] += number
        result = told(seen, read(looks), cap_bytes) | {
            "cap_bytes": cap_bytes,
            "requests": len(asked),
            "seconds": round(took_s, 1),
            "loads": dict(counters.loads),
            "stops": dict(stops),
            "worker_failures": dict(counters.failures),
            "refusals": dict(counters.refusals),
        }
    result["children_left"] = len(psutil.Process().children(recursive=True))
    return result


def told(seen: Seen, looks: Sequence[Mapping[str, Any]], cap_bytes: int) -> dict[str, Any]:
    held = [sum(look["workers"].values()) for look in looks]
    over = [look for look, held_bytes in zip(looks, held, strict=True) if held_bytes > cap_bytes]
    most: dict[int, int] = {}
    for look in looks:
        for pid, held_bytes in look["workers"].items():
            most[int(pid)] = max(most.get(int(pid), 0), held_bytes)
    by_model: dict[str, list[float]] = {}
    for pid, (model, promised_bytes) in seen.promised.items():
        if pid in most:
            by_model.setdefault(model, []).append(most[pid] / promised_bytes)
    gaps_s = [b["at_s"] - a["at_s"] for a, b in itertools.pairwise(looks)]
    return {
        "failures": seen.failures,
        "answered": dict(seen.answered),
        "left_early_or_waiting": sum(seen.left.values()),
        "looks": len(looks),
        "longest_gap_between_looks_s": round(max(gaps_s), 3),
        "looks_over_the_cap": len(over),
        "most_held_bytes": max(held),
        "most_promised_bytes": seen.most_promised_bytes,
        "most_workers_at_once": max(len(look["workers"]) for look in looks),
        "most_held_of_its_promise": {
            model: round(max(shares), 3) for model, shares in sorted(by_model.items())
        },
        "different_answers": {model: len(texts) for model, texts in seen.texts.items()},
        "first_token_s": {
            name: round(float(np.percentile(seen.waits_s, share)), 2)
            for name, share in (("median", 50), ("p90", 90), ("most", 100))
        },
    }


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("weights", type=Path, nargs="*", help="GGUFs; else all in the weights folder")
    ask.add_argument("--requests", type=int, default=80)
    ask.add_argument("--seed", type=int, default=5)
    chosen = ask.parse_args()
    files = chosen.weights or sorted(Folders.of(os.environ).weights.glob("*.gguf"))
    facts = about()
    result: dict[str, Any] = {"trace": TRACE.stem, "files": [path.name for path in files]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = [Path(shutil.copy(path, folder)) for path in files]  # so that nobody shares its pages
        models = [
            Model(f"{path.stem.lower()}-{tokens}", path, tokens)
            for tokens in CONTEXTS_TOKENS
            for path in own
        ]
        models[0] = Model(models[0].id, models[0].weights, CONTEXTS_TOKENS[0], "primary")

        async def ask_needs() -> dict[str, int]:
            async with household(folder / "home", models, with_embedder=True) as runtime:
                return await needs(runtime, [model.id for model in models])

        need = asyncio.run(ask_needs())
        result["needs_bytes"] = need
        for room, settings in rooms(need).items():
            print(room, settings, flush=True)
            result[room] = asyncio.run(
                run(folder / room, models, settings, chosen.requests, chosen.seed)
            )
            print(json.dumps(result[room], indent=1), flush=True)
    parts = [result[room] for room in rooms(need)]
    rows = [
        figure("requests that failed", sum(len(part["failures"]) for part in parts), 0, ""),
        figure("looks over the budget", sum(part["looks_over_the_cap"] for part in parts), 0, ""),
        figure(
            "most promised, of the budget",
            max(part["most_promised_bytes"] / part["cap_bytes"] for part in parts),
            1.0,
            "",
        ),
        figure("children left", sum(part["children_left"] for part in parts), 0, ""),
    ]
    print(keep("trace-real", facts, {"figures": rows, **result}))
    return 0 if all(row["holds"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Make the traces: what a household may be asked for, ten ways, from a seed.

`python benchmarks/traces/make.py` writes the published ones again, byte for byte. What a load
costs was measured (`benchmarks/loads.py`); a larger model's figures are those of the largest
measured, by bytes.
"""

import argparse
import json
import random
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

HERE = Path(__file__).parent
SEED = 5
T = TypeVar("T")
GB = 10**9
MIB = 2**20

STOP_S = 0.1
"""Measured: 0.01 for the smallest to 0.08 for the 1.5B."""
SLOW_BYTES_PER_S = 110e6
"""A folder of another machine over gigabit Ethernet, or an old disk: not measured, what such a
wire carries. Added to the measured load, whose file was in memory."""
REQUESTS_PER_HOUR = 6.0
"""What every model is expected to get before anything was seen: nobody is favoured."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a trace."""

    id: str
    need_bytes: int
    load_s: float
    request_s: float
    """Of a usual request."""
    slots: int = 1
    standing: str = "on_demand"


@dataclass(frozen=True, slots=True)
class Trace:
    """Who is asked for, when, and how long each is used."""

    name: str
    about: str
    models: tuple[Model, ...]
    capacity_bytes: int
    requests: tuple[tuple[float, str, float], ...]
    """When, of which model, seconds of use."""


# Measured on two threads, context 2048: benchmarks/results/loads-2026-11-20.json.
_ENCODER = Model("encoder", 159 * 10**6, 0.86, 0.07, slots=4)
_SMALL = Model("135m", 201 * 10**6, 0.37, 1.80, slots=2)
_HALF = Model("0.5b", 642 * 10**6, 0.86, 3.02, slots=2)
_FULL = Model("1.5b", 1895 * 10**6, 1.70, 6.64, slots=2)
_FULL_FILE_BYTES = 1_117_320_768
_START_S = 0.24
"""Of a load whatever the size: where the line through the three loads meets no bytes."""
_LOAD_S_PER_GB = 1.31
"""Of weights: its slope."""


def larger(name: str, file_gb: float, *, slow_disk: bool = False) -> Model:
    """A model of so many bytes, as the 1.5B was measured."""
    share = file_gb * GB / _FULL_FILE_BYTES
    load_s = _START_S + _LOAD_S_PER_GB * file_gb
    if slow_disk:
        load_s += file_gb * GB / SLOW_BYTES_PER_S
    return Model(
        name,
        round(_FULL.need_bytes * share / MIB) * MIB,
        round(load_s, 2),
        round(_FULL.request_s * share, 2),
        slots=2,
    )


def named(model: Model, name: str) -> Model:
    return Model(name, model.need_bytes, model.load_s, model.request_s, model.slots, model.standing)


# Who is asked for: each takes the dice, the models and how many requests, and gives a list
# of (seconds since the one before, model).

Asks = list[tuple[float, Model]]


def drawn(
    dice: random.Random, models: Sequence[Model], weights: Sequence[float], n: int, gap_s: float
) -> Asks:
    """Each independent of the others."""
    return [(dice.expovariate(1 / gap_s), dice.choices(models, weights)[0]) for _ in range(n)]


def zipf(models: Sequence[Model], exponent: float) -> list[float]:
    return [1 / (rank + 1) ** exponent for rank in range(len(models))]


def sessions(
    dice: random.Random, models: Sequence[Model], weights: Sequence[float], n: int, gap_s: float
) -> Asks:
    """Three people, each with one model for a while, then with another."""
    asks: list[tuple[float, Model]] = []
    for _ in range(3):
        now = dice.expovariate(1 / gap_s)
        for _ in range(n):
            model = dice.choices(models, weights)[0]
            for _ in range(1 + int(dice.expovariate(1 / 3))):
                asks.append((now, model))
                now += model.request_s + dice.expovariate(1 / gap_s)
            now += dice.expovariate(1 / (gap_s * 8))
    asks.sort(key=lambda ask: ask[0])
    times = [0.0, *(now for now, _ in asks)]
    return [(now - before, model) for before, (now, model) in zip(times, asks, strict=False)][:n]


def shuffled(dice: random.Random, things: Sequence[T]) -> list[T]:
    return dice.sample(list(things), len(things))


# The ten.

Made = tuple[tuple[Model, ...], int, Asks]


def uniform(dice: random.Random, n: int, few: bool) -> Made:
    """Every model as likely as every other, all of one size: nothing to learn."""
    models = tuple(named(_FULL, f"chat-{i}") for i in range(4 if few else 8))
    return models, room(models, 2 if few else 4), drawn(dice, models, zipf(models, 0), n, 40.0)


def mixed(few: bool) -> tuple[Model, ...]:
    """Sizes as in a household that tries models out."""
    models = (
        _SMALL, _HALF, _FULL, larger("3b", 2.1), larger("7b", 4.68),
        named(_SMALL, "135m-tuned"), named(_HALF, "0.5b-coder"), named(_FULL, "1.5b-coder"),
        larger("3b-coder", 2.1), larger("4b", 2.5),
    )  # fmt: skip
    return models[:5] if few else models


def zipf_mild(dice: random.Random, n: int, few: bool) -> Made:
    """Some models more popular than others, exponent 0.8, whatever their size."""
    models = tuple(shuffled(dice, mixed(few)))
    return models, part(models, 0.4), drawn(dice, models, zipf(models, 0.8), n, 90.0)


def zipf_steep(dice: random.Random, n: int, few: bool) -> Made:
    """A few favourites and many that are hardly asked for, exponent 1.2."""
    models = tuple(shuffled(dice, mixed(few)))
    return models, part(models, 0.4), drawn(dice, models, zipf(models, 1.2), n, 90.0)


def bursts(dice: random.Random, n: int, few: bool) -> Made:
    """Three people, each with one model for a while, then with another."""
    models = tuple(shuffled(dice, [model for model in mixed(few) if model.load_s < 4]))
    return models, part(models, 0.4), sessions(dice, models, zipf(models, 0.5), n, 45.0)


def embed_chat(dice: random.Random, n: int, few: bool) -> Made:
    """Questions about documents: the embedder, often a reranker, then one of the chat models."""
    embedder, reranker = named(_ENCODER, "embedder"), named(_HALF, "reranker")
    chats = [_FULL, larger("3b", 2.1)]
    chats += [] if few else [named(_FULL, "1.5b-coder"), larger("4b", 2.5), _SMALL]
    asks: Asks = []
    while len(asks) < n:
        asks.append((dice.expovariate(1 / 90), embedder))
        if dice.random() < 0.5:
            asks.append((dice.uniform(0.2, 0.5), reranker))
        asks.append((dice.uniform(0.5, 5.0), dice.choices(chats, zipf(chats, 1.0))[0]))
    capacity = room([*chats, embedder, reranker], 2) + embedder.need_bytes
    return (embedder, reranker, *chats), capacity, asks[:n]


def two_disks(dice: random.Random, n: int, few: bool) -> Made:
    """Models of one size, every other one from a place that takes seven times as long."""
    models = _on_two_disks(few)
    return models, room(models, 2 if few else 4), drawn(dice, models, zipf(models, 0.6), n, 180.0)


def two_disks_bursts(dice: random.Random, n: int, few: bool) -> Made:
    """The same models, each used for a while by one of three people, then another."""
    models = _on_two_disks(few)
    return models, room(models, 2 if few else 4), sessions(dice, models, zipf(models, 0.3), n, 90.0)


def _on_two_disks(few: bool) -> tuple[Model, ...]:
    half = 2 if few else 4
    models = []
    for i in range(half):
        models += [larger(f"fast-{i}", 4.68), larger(f"slow-{i}", 4.68, slow_disk=True)]
    return tuple(models)


def shared_folder(dice: random.Random, n: int, few: bool) -> Made:
    """Models of several sizes, some of them in a folder of another machine in the house."""
    sizes = [("1.5b", 1.117), ("3b", 2.1), ("4b", 2.5), ("7b", 4.68)]
    models = []
    for name, size in shuffled(dice, sizes[: 2 if few else 4]):
        models += [larger(name, size), larger(f"{name}-shared", size, slow_disk=True)]
    weights = zipf(models, 0.6)
    return tuple(models), part(models, 0.5), drawn(dice, models, weights, n, 180.0)


def one_dear(dice: random.Random, n: int, few: bool) -> Made:
    """One large model on a slow disk, asked for now and then, among quick ones always in use."""
    dear = larger("14b", 8.99, slow_disk=True)
    quick = [_FULL, larger("3b", 2.1), larger("4b", 2.5)]
    quick += [] if few else [larger("3b-coder", 2.1), named(_FULL, "1.5b-coder"), _HALF]
    models = (dear, *quick)
    weights = [0.6, *([1.0] * len(quick))]
    capacity = dear.need_bytes + larger("4b", 2.5).need_bytes + MIB
    return models, capacity, drawn(dice, models, weights, n, 120.0)


def adversarial(dice: random.Random, n: int, few: bool) -> Made:
    """Against both: one more model in turn than fits; then others, for whoever counts for ever."""
    models = tuple(named(_FULL, f"chat-{i}") for i in range(5 if few else 9))
    fit = 2 if few else 4
    asks: Asks = []
    first, second = models[: fit + 1], models[-fit - 1 :]
    quarter = n // 4
    for turn in range(quarter):
        asks.append((40.0, first[turn % len(first)]))
    asks += [(dice.expovariate(1 / 40), dice.choice(models[:fit])) for _ in range(quarter)]
    asks += [(dice.expovariate(1 / 40), dice.choice(models[-fit:])) for _ in range(quarter)]
    for turn in range(n - 3 * quarter):
        asks.append((40.0, second[turn % len(second)]))
    return models, room(models, fit), asks


def room(models: Sequence[Model], count: int) -> int:
    """For so many of the largest."""
    return sum(sorted((model.need_bytes for model in models), reverse=True)[:count])


def part(models: Sequence[Model], share: float) -> int:
    """For such a share of all, and for the largest in any case."""
    sizes = [model.need_bytes for model in models]
    return max(round(sum(sizes) * share), *sizes)


KINDS: dict[str, Callable[[random.Random, int, bool], Made]] = {
    made.__name__: made
    for made in (
        uniform, zipf_mild, zipf_steep, bursts, embed_chat,
        two_disks, two_disks_bursts, shared_folder, one_dear, adversarial,
    )
}  # fmt: skip
REQUESTS, FEW_REQUESTS = 800, 60


def make(kind: str, seed: int, *, few: bool = False) -> Trace:
    """A trace of this kind; `few`: at most 5 models and 60 requests that never overlap."""
    dice = random.Random(zlib.crc32(kind.encode()) * 1000 + seed)
    models, capacity_bytes, asks = KINDS[kind](dice, FEW_REQUESTS if few else REQUESTS, few)
    now = 0.0
    requests = []
    longest_load_s = max(model.load_s for model in models)
    before_s = 0.0
    for gap_s, model in asks:
        use_s = model.request_s * dice.lognormvariate(0.0, 0.5)
        now += gap_s + (before_s if few else 0.0)
        before_s = use_s + longest_load_s + 2 * STOP_S
        requests.append((round(now, 2), model.id, round(use_s, 2)))
    about = " ".join((KINDS[kind].__doc__ or "").split())
    name = f"{kind}_few" if few else kind
    return Trace(name, about, models, capacity_bytes, tuple(requests))


def as_json(trace: Trace, seed: int) -> str:
    """Short lines: one for each model, ten requests to a line."""
    head: dict[str, Any] = {
        "name": trace.name,
        "about": trace.about,
        "generator": "benchmarks/traces/make.py",
        "seed": seed,
        "capacity": {"cpu": trace.capacity_bytes},
        "stop_s": STOP_S,
        "requests_per_hour": REQUESTS_PER_HOUR,
    }
    models = ",\n  ".join(
        json.dumps(
            {
                "id": model.id,
                "need": {"cpu": model.need_bytes},
                "load_s": model.load_s,
                "slots": model.slots,
                "standing": model.standing,
            }
        )
        for model in trace.models
    )
    lines = [
        ", ".join(json.dumps(request) for request in trace.requests[i : i + 5])
        for i in range(0, len(trace.requests), 5)
    ]
    requests = ",\n  ".join(lines)
    opened = json.dumps(head, indent=1)[:-2]
    return (
        f'{opened},\n "models": [\n  {models}\n ],\n'
        f' "requests_as": ["at_s", "model", "use_s"],\n "requests": [\n  {requests}\n ]\n}}\n'
    )


def published(folder: Path) -> dict[Path, str]:
    """Each file and what is to be in it."""
    return {
        folder / f"{kind}{'_few' * few}.json": as_json(make(kind, SEED, few=few), SEED)
        for kind in KINDS
        for few in (False, True)
    }


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--folder", type=Path, default=HERE)
    for path, text in published(ask.parse_args().folder).items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

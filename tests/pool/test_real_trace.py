"""More models in use than there is room for: all are answered, and memory keeps its bound."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from homes import Model, answer, household, manifest_of, question
from sampling import read, sampled

from lumbre.config.load import load
from lumbre.core.machine import CPU
from lumbre.hardware.usage import family
from lumbre.planning import plan_household, this_machine_of
from lumbre.registry.manifest import save_manifest
from lumbre.runtime import Runtime

pytestmark = pytest.mark.anyio

QUESTION = question("Name two colours.", 4)
TRACE = (
    *("short", "long", "middle", "middle", "short", "long"),
    *("short", "middle", "long", "long", "middle", "short"),
)


@pytest.fixture
def models(smollm2: Path, tmp_path: Path) -> list[Model]:
    """One file under three names, each with a context of its own; nobody else maps this copy,
    so that its pages are not counted by halves."""
    weights = Path(shutil.copyfile(smollm2, tmp_path / smollm2.name))
    return [
        Model("short", weights, 512, "primary"),
        Model("middle", weights, 1024),
        Model("long", weights, 2048),
    ]


def room_for_two(home: Path, models: Sequence[Model]) -> int:
    """Bytes: what the two largest are planned to hold, and half the third.

    Planned again with that bound, so that the engine has been asked all that it will be.
    """
    config = load(settings(home))
    config.folders.make()
    for model in models:
        save_manifest(manifest_of(model), config.folders.registry / f"{model.id}.yaml")
    host = this_machine_of(config)
    sizes = sorted(model.total_bytes for model in plan_household(config, host=host).models)
    assert len(sizes) == len(models)
    cap_bytes = sum(sizes[1:]) + sizes[0] // 2
    plan_household(load(settings(home, cap_bytes)), host=host)
    return cap_bytes


def settings(home: Path, cap_bytes: int = 0) -> dict[str, str]:
    return {
        "LUMBRE_HOME": str(home),
        "LUMBRE_WORKER__PROMPT_THREADS": "1",
        "LUMBRE_MEMORY__MAX_RAM_GB": f"{cap_bytes / 1e9:.9f}",
    }


async def test_three_models_in_room_for_two_answer_everybody_within_what_they_may_hold(
    home: Path, models: list[Model], tmp_path: Path
) -> None:
    cap_bytes = room_for_two(home, models)
    capped = {
        name.removeprefix("LUMBRE_"): value for name, value in settings(home, cap_bytes).items()
    }
    promised: list[int] = []

    async def one(runtime: Runtime, model: str) -> str:
        text = await answer(runtime, model, QUESTION)
        promised.extend(d.committed_bytes for d in runtime.pool.devices() if d.id == CPU)
        return text

    with sampled(os.getpid(), tmp_path / "looks"):
        async with household(home, models, capped) as runtime:
            texts = await asyncio.gather(*(one(runtime, model) for model in TRACE))
            stops = runtime.pool.counters.stops
    workers = [look["workers"] for look in read(tmp_path / "looks")]
    assert all(texts)
    assert len({*zip(TRACE, texts, strict=True)}) == len(models), "answers of one differ"
    assert sum(times for (_, why), times in stops.items() if why == "room") > 0
    assert max(map(len, workers)) == 2
    assert max(promised) <= cap_bytes
    assert max(sum(held.values()) for held in workers) <= cap_bytes
    assert not family(os.getpid())[1:]

"""What a person does by hand reaches the models: unloaded after their answers, pinned, watched."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lumbre.config import load
from lumbre.core.errors import DoesNotFit, ModelPinned, UnknownModel
from lumbre.core.generation import ChatRequest
from lumbre.core.messages import Message
from lumbre.core.model import Manifest
from lumbre.registry.household import write_household
from lumbre.server.household import Household
from tests.conftest import environment_of

TINIEST = "smollm2-135m-instruct-q4_1"
STORY = ChatRequest((Message("user", "Tell me a story."),), max_output_tokens=40, temperature=0.0)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("smollm2")]


@asynccontextmanager
async def household(home: Path, **more: str) -> AsyncIterator[Household]:
    environment = environment_of(home, LUMBRE_LLM__PRIMARY__ID=TINIEST, **more)
    config = load({k: v for k, v in environment.items() if k.startswith("LUMBRE_")})
    config.folders.make()
    write_household(config.folders.registry, "starter")
    opened = Household(config)
    try:
        yield opened
    finally:
        await opened.close()


async def everything(opened: Household, **body: Any) -> list[dict[str, Any]]:
    return [event async for event in opened.open([TINIEST], insists=True, **body)]


async def test_before_anything_is_loaded_the_budget_is_known(home: Path) -> None:
    async with household(home, LUMBRE_MEMORY__MAX_RAM_GB="0.4") as opened:
        seen = await opened.models.ps()
        assert (seen["models"], seen["total_bytes"]) == ([], 0)
        assert 0 < seen["budget_bytes"] <= 400_000_000
        assert [device["id"] for device in (await opened.models.top())["devices"]] == ["cpu"]


async def test_looking_loads_nothing(home: Path) -> None:
    """Whatever is asked about a model that is not loaded, but for an answer."""
    async with household(home) as opened:
        runtime = opened.runtime
        await opened.models.ps()
        await opened.models.top()
        await opened.metrics()
        opened.signalled({})
        opened.documents.listed([])
        opened.models.pin(TINIEST, is_pinned=True)
        assert runtime.window_tokens() > 0
        assert runtime.sampling(TINIEST).temperature is not None
        assert runtime.embedding_version
        assert not runtime.pool.counters.loads
        assert not runtime.pool.pids()


async def test_a_model_in_use_ends_after_its_answer_and_not_before(home: Path) -> None:
    async with household(home) as opened:
        await everything(opened)
        seen: list[str] = []

        async def answer(begun: asyncio.Event) -> None:
            async with opened.runtime.pool.lease(TINIEST):
                begun.set()
                await let_go.wait()
                seen.append("answered")

        begun, let_go = asyncio.Event(), asyncio.Event()
        answering = asyncio.create_task(answer(begun))
        await begun.wait()
        events = opened.models.unload(TINIEST)
        first = await anext(events)
        assert (first["event"], first["leases"]) == ("unloading", 1)
        ending = asyncio.create_task(anext(events))
        assert (await opened.models.ps())["models"][0]["leases"] == 1
        assert not ending.done()
        let_go.set()
        last = await ending
        seen.append("unloaded")
        await answering
        assert seen == ["answered", "unloaded"]
        assert (last["event"], last["was_loaded"], last["is_wanted"]) == ("done", True, False)
        assert not opened.runtime.pool.is_loaded(TINIEST)


async def test_whoever_gives_up_waiting_does_not_keep_the_model(home: Path) -> None:
    async with household(home) as opened:
        await everything(opened)
        async with opened.runtime.pool.lease(TINIEST):
            events = opened.models.unload(TINIEST)
            await anext(events)
            waiting = asyncio.create_task(anext(events))
            while (await opened.models.ps())["models"][0]["leases"] != 1:
                await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await events.aclose()
        while opened.runtime.pool.is_loaded(TINIEST):
            await asyncio.sleep(0)
        assert [one["why"] for one in (await opened.models.top())["evictions"]] == ["hand"]


async def test_a_pinned_model_stays_and_a_pin_can_be_taken_back(home: Path) -> None:
    async with household(home, LUMBRE_POOL__PINNED=TINIEST) as opened:
        await everything(opened)
        assert (await opened.models.ps())["models"][0]["is_pinned"]
        with pytest.raises(ModelPinned):
            await anext(opened.models.unload(TINIEST))
        assert opened.models.pin(TINIEST, is_pinned=False) == {"pinned": [], "is_loaded": True}
        assert [e["event"] for e in [e async for e in opened.models.unload(TINIEST)]] == [
            "unloading",
            "done",
        ]
        assert opened.models.pin(TINIEST, is_pinned=True) == {
            "pinned": [TINIEST],
            "is_loaded": False,
        }
        with pytest.raises(UnknownModel):
            opened.models.pin("nobody", is_pinned=True)
        with pytest.raises(UnknownModel):
            await anext(opened.models.unload("nobody"))


async def test_a_pinned_model_outlasts_its_time_and_makes_no_room(home: Path) -> None:
    """Two copies of one model, the first pinned, in memory for one and a half."""
    room = {"LUMBRE_POOL__PINNED": "first", "LUMBRE_MEMORY__MAX_RAM_GB": "0.4"}
    async with household(home, **room) as opened:
        copies = [copied(opened, name) for name in ("first", "second")]
        async for _ in opened.models.load(copies[:1]):
            pass
        with pytest.raises(DoesNotFit):
            async for _ in opened.models.load(copies[1:], insists=True):
                pass
        assert opened.runtime.pool.is_ready("first")
    lasting = {"LUMBRE_POOL__IDLE_S": "0.2", "LUMBRE_POOL__KEEP_WHILE_FITS": "false"}
    async with household(home, LUMBRE_POOL__PINNED="first", **lasting) as opened:
        async for _ in opened.models.load(copies):
            pass
        while opened.runtime.pool.is_loaded("second"):
            await asyncio.sleep(0)
        assert opened.runtime.pool.is_ready("first")
        (gone,) = (await opened.models.top())["evictions"]
        assert (gone["model"], gone["why"]) == ("second", "idle")


def copied(opened: Household, name: str) -> Manifest:
    """A model of this name with the same weights, loaded on demand."""
    registry = opened.runtime.registry
    if name not in [model.id for model in registry.usable()]:
        text = registry.path_of(TINIEST).read_text()
        text = text.replace(f"id: {TINIEST}", f"id: {name}").replace(
            "role: micro", "role: secondary"
        )
        (registry.folder / f"{name}.yaml").write_text(text)
    return registry.get(name)


async def test_top_tells_the_tempo_of_an_answer_and_who_waits(home: Path) -> None:
    async with household(home) as opened:
        async for _ in opened.runtime.chat(STORY):
            pass
        told = await opened.models.top()
        (model,) = told["models"]
        assert model["tokens_per_s"] > 0
        assert model["needs"] == {"cpu": model["planned_bytes"]}
        assert model["holds"] == {"cpu": model["measured_bytes"]}
        (cpu,) = told["devices"]
        assert cpu["committed_bytes"] == model["planned_bytes"] <= cpu["budget_bytes"]
        parts = ("others_bytes", "reserve_bytes", "available_bytes")
        assert 0 < sum(cpu[part] for part in parts) <= cpu["total_bytes"]
        async with opened.runtime.pool.lease(TINIEST):
            waiting = asyncio.create_task(everything_of(opened))
            while not (seen := (await opened.models.top())["queue"]):
                await asyncio.sleep(0)
            assert [one["model"] for one in seen] == [TINIEST]
        await waiting


async def everything_of(opened: Household) -> None:
    async for _ in opened.runtime.chat(STORY):
        pass

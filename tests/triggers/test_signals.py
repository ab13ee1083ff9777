"""What parts signal holds for the next request: on real weights, from the signal to the answer."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest

from lumbre.core.generation import ChatRequest
from lumbre.core.messages import Message
from lumbre.core.model import Manifest
from lumbre.core.signals import PersonaScored, SpeechBegan, SpeechEnded
from lumbre.runtime import Runtime
from tests.triggers.conftest import MakeHome, opened

pytestmark = pytest.mark.anyio

Make = Callable[..., Manifest]
AT_ONCE = {"strain__busy_s": "0", "strain__pause_s": "0", "strain__quiet_s": "0"}


async def say(runtime: Runtime, text: str, model: str | None = None) -> str:
    request = ChatRequest((Message("user", text),), max_output_tokens=2, temperature=0.0)
    async with aclosing(runtime.chat(request, model)) as deltas:
        return "".join([delta.text async for delta in deltas])


async def test_while_speech_is_busy_a_lightweight_model_answers_for_the_primary(
    make_home: MakeHome, model: Make
) -> None:
    config = make_home(model("light", "lightweight"), **AT_ONCE)
    async with opened(config) as (runtime, _):
        await say(runtime, "Hello.")
        assert runtime.chat_model().id == "main"
        (notice,) = await runtime.signal(SpeechBegan())
        assert notice.told.key == "guards.divert_lightweight"
        assert runtime.chat_model().id == "light"
        assert await say(runtime, "Hello.")
        assert await say(runtime, "Hello.", "main"), "who names it gets it"
        assert runtime.window_tokens("main") == 1024
        assert runtime.spent.requests == {"main": 2, "light": 1}
        (notice,) = await runtime.signal(SpeechEnded())
        assert notice.told.key == "guards.restore_quiet"
        assert runtime.chat_model().id == "main"
        assert runtime.window_tokens() == 2048


async def test_where_a_lightweight_model_has_no_room_the_primary_answers_with_less(
    make_home: MakeHome, model: Make
) -> None:
    config = make_home(model("light", "lightweight"), memory__max_ram_gb="0.3", **AT_ONCE)
    async with opened(config) as (runtime, _):
        await say(runtime, "Hello.")
        await runtime.signal(SpeechBegan())
        assert runtime.chat_model().id == "main"
        assert runtime.window_tokens() == 1024


async def test_the_primary_answers_again_though_speech_goes_on(
    make_home: MakeHome, model: Make
) -> None:
    config = make_home(model("light", "lightweight"), strain__most_s="0.2", **AT_ONCE)
    async with opened(config) as (runtime, _):
        await runtime.signal(SpeechBegan())
        async with asyncio.timeout(30):
            while runtime.guards.is_diverted:
                await asyncio.sleep(0)
        assert runtime.chat_model().id == "main"
        assert runtime.guards.notices[-1].told.key == "guards.restore_bound"


async def test_a_place_that_was_earned_outlasts_idleness_and_ends_with_the_need(
    make_home: MakeHome, model: Make
) -> None:
    config = make_home(
        model("moe", "optional_moe", "reasoning", idle_s=0.2), pool__keep_while_fits="false"
    )
    async with opened(config) as (runtime, _):
        (notice,) = await runtime.signal(PersonaScored(adherence=0.7, target=0.8))
        assert notice.told.key == "guards.earn_persona"
        await runtime.warm("moe")
        async with asyncio.timeout(30):
            while (await runtime.views())[0].idle_s < 0.5:
                await asyncio.sleep(0)
        await runtime.pool.look()
        assert runtime.pool.is_ready("moe")
        await runtime.signal(PersonaScored(adherence=0.9, target=0.8))
        async with asyncio.timeout(30):
            while await runtime.views():
                await runtime.pool.look()
        assert runtime.pool.counters.stops == {("moe", "idle"): 1}


async def test_long_prompts_earn_a_place_where_there_is_room(
    make_home: MakeHome, model: Make
) -> None:
    long = {"residency__least_tasks": "2", "residency__long_tokens": "40"}
    config = make_home(model("moe", "optional_moe", "long_context"), **long)
    async with opened(config) as (runtime, _):
        for _ in range(2):
            await say(runtime, "one two three four " * 20)
        (notice,) = runtime.guards.notices
        assert notice.told.key == "guards.earn_long_context"
        assert notice.told.facts["found_share"] == 1.0


async def test_one_without_room_is_told_with_its_figures(make_home: MakeHome, model: Make) -> None:
    long = {"residency__least_tasks": "1", "residency__long_tokens": "40"}
    config = make_home(
        model("moe", "optional_moe", "long_context"), memory__max_ram_gb="0.3", **long
    )
    async with opened(config) as (runtime, _):
        await say(runtime, "one two three four " * 20)
        (notice,) = runtime.guards.notices
        assert notice.told.key == "guards.no_room_long_context"
        assert notice.told.facts["model"] == "moe"

"""A trigger has its work done by an optional model, on real weights, in its time and once."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from lumbre.core.errors import ModelDisabled, Stopping, TookTooLong, TriggerRefused, WeightsMissing
from lumbre.core.model import Manifest
from lumbre.core.signals import GeneratePlan, LongContext, NeedJudge
from lumbre.runtime import Runtime
from lumbre.server.metrics import exposition
from lumbre.store import Store
from lumbre.triggers.chains import Chains
from tests.triggers.conftest import MakeHome, opened

pytestmark = pytest.mark.anyio

Make = Callable[..., Manifest]
SHORT = NeedJudge("Is water wet? Answer yes or no.", max_output_tokens=4)
BOOK = "one two three four " * 400
"""Seconds to read with one thread."""


async def test_a_verdict_comes_from_the_optional_model_with_its_figures(
    make_home: MakeHome, model: Make
) -> None:
    config = make_home(
        model("second", "secondary", "judge"), model("moe", "optional_moe", "judge", "plan")
    )
    async with opened(config) as (runtime, triggers):
        result = await triggers.send(SHORT)
        assert result.ok, result.error
        assert (result.name, result.trigger, result.model) == (
            "Judge.Result",
            "Eval.NeedJudge",
            "moe",
        )
        assert result.text
        assert result.prompt_tokens > 5
        assert 1 <= result.output_tokens <= 4
        planned = await triggers.send(
            GeneratePlan("Tea.", instructions="Plan in one step.", max_output_tokens=2)
        )
        assert planned.name == "Plan.Result"
        assert planned.ok
        assert triggers.tally.outcomes == {
            ("Eval.NeedJudge", "done"): 1,
            ("Plan.Generate", "done"): 1,
        }
        told = exposition(runtime, await runtime.views(), 1.0, triggers.tally).decode()
        assert "moe_judge_latency_ms_count 1.0" in told
        assert "moe_planner_latency_ms_count 1.0" in told
        assert 'lumbre_answer_seconds_count{model="moe",role="optional_moe"} 2.0' in told
        assert 'moe_memory_resident_sec{model="moe"}' in told
        assert {view.model for view in await runtime.views()} == {"moe"}


async def test_after_it_the_model_unloads_when_it_was_idle_for_its_time(
    make_home: MakeHome, model: Make
) -> None:
    config = make_home(
        model("moe", "optional_moe", "judge", idle_s=0.2), pool__keep_while_fits="false"
    )
    async with opened(config) as (runtime, triggers):
        assert (await triggers.send(SHORT)).ok
        async with asyncio.timeout(30):
            while await runtime.views():
                await asyncio.sleep(0)
        assert runtime.pool.counters.stops == {("moe", "idle"): 1}
        assert runtime.pool.resident_s()["moe", "optional_moe"] > 0.2


async def test_the_time_limit_ends_the_engines_work_before_the_answer(
    make_home: MakeHome, model: Make
) -> None:
    config = make_home(model("moe", "optional_moe", "long_context"), triggers__timeout_s="0.4")
    async with opened(config) as (runtime, triggers):
        await runtime.warm("moe")
        result = await triggers.send(LongContext(BOOK, max_output_tokens=500))
        assert isinstance(result.error, TookTooLong)
        assert result.error.facts["limit_s"] == 0.4
        assert not result.ok
        assert 0 < result.prompt_tokens < 1600, "as far as it was read"
        assert runtime.guards.tally.tokens["moe", "optional_moe", "prompt"] == result.prompt_tokens
        (view,) = await runtime.views()
        assert view.leases == 0
        await stands_still(runtime)
        assert triggers.tally.outcomes == {("Reflection.LongContext", "too_long"): 1}


async def test_what_was_written_before_the_time_was_over_is_counted(
    make_home: MakeHome, model: Make
) -> None:
    config = make_home(model("moe", "optional_moe", "judge"), triggers__timeout_s="2")
    async with opened(config) as (runtime, triggers):
        await runtime.warm("moe")
        result = await triggers.send(NeedJudge("tea " * 50, max_output_tokens=1500))
        assert isinstance(result.error, TookTooLong)
        assert 1 < result.output_tokens < 1500
        assert result.prompt_tokens > 5
        assert runtime.guards.tally.tokens["moe", "optional_moe", "output"] == result.output_tokens


async def test_a_caller_that_leaves_ends_the_work(make_home: MakeHome, model: Make) -> None:
    config = make_home(model("moe", "optional_moe", "long_context"))
    async with opened(config) as (runtime, triggers):
        await runtime.warm("moe")
        sent = asyncio.create_task(triggers.send(LongContext(BOOK, max_output_tokens=500)))
        await is_used(runtime)
        sent.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sent
        await stands_still(runtime)


async def test_one_that_is_not_listed_is_refused_and_loads_nothing(
    make_home: MakeHome, model: Make
) -> None:
    config = make_home(
        model("moe", "optional_moe", "judge", "plan"), triggers__uses="Plan.Generate"
    )
    async with opened(config) as (runtime, triggers):
        result = await triggers.send(SHORT)
        assert isinstance(result.error, TriggerRefused)
        assert "triggers.uses: Plan.Generate" in str(result.error)
        assert await runtime.views() == []
        assert runtime.pool.counters.loads == {}


async def test_without_a_model_the_result_says_so(make_home: MakeHome, model: Make) -> None:
    config = make_home(model("moe", "optional_moe", "plan"))
    async with opened(config) as (_, triggers):
        result = await triggers.send(SHORT)
        assert isinstance(result.error, TriggerRefused)
        assert result.model is None
        assert "judge" in str(result.error)


async def test_weights_that_are_missing_are_said_unless_another_can_do_it(
    make_home: MakeHome, model: Make
) -> None:
    def without_weights(manifest: Manifest) -> Manifest:
        from dataclasses import replace

        return replace(manifest, path="nowhere.gguf", files=())

    config = make_home(without_weights(model("moe", "optional_moe", "judge")))
    async with opened(config) as (_, triggers):
        result = await triggers.send(SHORT)
        assert isinstance(result.error, WeightsMissing)
    make_home(model("second", "secondary", "judge"))
    async with opened(config) as (_, triggers):
        result = await triggers.send(SHORT)
        assert (result.ok, result.model) == (True, "second")


async def test_a_slow_model_is_left_out_and_comes_back(make_home: MakeHome, model: Make) -> None:
    config = make_home(
        model("moe", "optional_moe", "judge"),
        latency__optional_moe_s="0.0001",
        latency__least_answers="2",
        latency__off_s="1",
    )
    async with opened(config) as (runtime, triggers):
        for _ in range(2):
            assert (await triggers.send(SHORT)).ok
        result = await triggers.send(SHORT)
        assert isinstance(result.error, ModelDisabled)
        facts = result.error.facts
        assert facts["p95_s"] > facts["limit_s"] == 0.0001  # type: ignore[operator]
        assert 0 < facts["retry_after_s"] <= 1  # type: ignore[operator]
        with pytest.raises(ModelDisabled):
            await runtime.warm("moe")
        assert [notice.told.key for notice in runtime.guards.notices] == ["guards.disable"]
        async with asyncio.timeout(30):
            while runtime.guards.off("moe"):
                await asyncio.sleep(0)
        assert (await triggers.send(SHORT)).ok
        assert [notice.told.key for notice in runtime.guards.notices][1] == "guards.enable"


async def test_what_is_at_work_when_the_household_ends_is_answered_and_told_at_the_next_start(
    make_home: MakeHome, model: Make
) -> None:
    config = make_home(model("moe", "optional_moe", "long_context"))
    async with opened(config) as (runtime, triggers):
        assert triggers.unfinished == []
        await runtime.warm("moe")
        sent = asyncio.create_task(triggers.send(LongContext(BOOK, max_output_tokens=500)))
        await is_used(runtime)
        await triggers.close()
        result = await sent
        assert isinstance(result.error, Stopping)
        assert isinstance((await triggers.send(SHORT)).error, Stopping)
    with closing(Store(config.folders.database)) as store:
        (left,) = Chains(store).take_unfinished()
        assert (left.trigger, left.model) == ("Reflection.LongContext", "moe")


async def is_used(runtime: Runtime) -> None:
    """Until a worker has a request."""
    async with asyncio.timeout(30):
        while all(view.leases == 0 for view in await runtime.views()):
            await asyncio.sleep(0)


async def stands_still(runtime: Runtime) -> None:
    """Until the engine's own word is that it works on nothing, well before it would be done."""
    async with runtime.pool.lease("moe") as lease, asyncio.timeout(2):
        while (await slot(lease.engine))["is_processing"]:
            await asyncio.sleep(0)


async def slot(engine: Any) -> dict[str, Any]:
    response = await engine.wire._open("GET", "/slots", None)
    async with response:
        slots: list[dict[str, Any]] = await response.json()
    return slots[0]

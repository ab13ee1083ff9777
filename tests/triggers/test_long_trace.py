"""A household lives through a long day, on real weights: whatever comes together, all is answered.

The guards' clock and the machine's memory are imagined; models, prompts and processes are real.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lumbre.config import Config
from lumbre.core.errors import ModelDisabled, Stopping
from lumbre.core.generation import ChatRequest
from lumbre.core.machine import CPU, Host, Memory
from lumbre.core.messages import Message
from lumbre.core.model import Manifest
from lumbre.core.signals import parse
from lumbre.hardware.usage import family
from lumbre.planning import plan_household, this_machine_of
from lumbre.pool.guards.guards import Guards
from lumbre.pool.pool import Pool
from lumbre.runtime import Runtime
from lumbre.server.metrics import exposition
from lumbre.server.signals import hear
from lumbre.store import Store
from lumbre.triggers import Triggers
from lumbre.triggers.chains import Chains
from tests.triggers.conftest import MakeHome, opened

pytestmark = pytest.mark.anyio

LONG = "one two three four " * 100
BOOK = "one two three four " * 400
"""Seconds to read with one thread."""
SETTINGS = {
    "llm__lightweight__context_length": "1024",
    "worker__load_mode": "read",  # all that a worker holds is then its own, and seen
    "worker__kv_type": "f16",
    "worker__extra_buffers": "false",
    "residency__least_tasks": "10",
    "residency__long_tokens": "300",
    "latency__least_answers": "2",
}


@dataclass(slots=True)
class Machine:
    """One on which nothing runs but the models; what they hold of it is measured."""

    config: Config
    room_bytes: int
    """For all models together."""
    pool: Pool | None = None
    looks: list[tuple[int, int]] = field(default_factory=list)
    """Bytes held and bytes promised, at each look."""

    @property
    def total_bytes(self) -> int:
        return self.room_bytes + self.config.settings.memory.reserve_bytes

    def memory(self) -> Memory:
        assert self.pool
        held_bytes = self.pool.held_bytes()
        promised_bytes = sum(d.committed_bytes for d in self.pool.devices() if d.id == CPU)
        self.looks.append((held_bytes, promised_bytes))
        return Memory(self.total_bytes, self.total_bytes - held_bytes)

    def host(self) -> Host:
        free_bytes = self.memory().available_bytes if self.pool else self.total_bytes
        return with_memory(self.config, self.total_bytes, free_bytes)


def with_memory(config: Config, total_bytes: int, free_bytes: int) -> Host:
    here = this_machine_of(config)
    cpu = replace(here.cpu, total_bytes=total_bytes, free_bytes=free_bytes)
    return replace(here, devices=(cpu,))


def room_for_two(config: Config) -> int:
    """Bytes: the two largest, and half of the third."""
    host = with_memory(config, 16 * 2**30, 16 * 2**30)
    sizes = sorted(planned.total_bytes for planned in plan_household(config, host=host).models)
    assert len(sizes) == 3
    return sum(sizes[1:]) + sizes[0] // 2


@dataclass(slots=True)
class Day:
    """What happens in the household, and what it tells of that."""

    runtime: Runtime
    triggers: Triggers
    now: float = 1000.0

    async def say(self, text: str, model: str | None = None, *, takes_s: float = 0.0) -> str:
        """One question. Returns who answered."""
        chosen = self.runtime.chat_model(model).id
        request = ChatRequest((Message("user", text),), max_output_tokens=2, temperature=0.0)
        written = ""
        async with aclosing(self.runtime.chat(request, model)) as deltas:
            async for delta in deltas:
                written += delta.text
                self.now += takes_s
                takes_s = 0.0
        assert written
        return chosen

    async def signal(self, name: str, **fields: object) -> dict[str, Any]:
        """As another part sends it. Returns the notices at once, and the result of a trigger."""
        events = hear(parse(name, fields), self.runtime, self.triggers, "en")
        heard = [event async for event in events]
        notices = [event["notice"] for event in heard if event["event"] == "notice"]
        return {"notices": notices, "result": heard[-1]["result"]}

    async def speak(self, seconds: float) -> None:
        """Speech recognition works for so long, and goes on."""
        await self.signal("Speech.Began", source="microphone")
        self.now += seconds

    async def ask_judge(self) -> dict[str, Any]:
        asked = await self.signal("Eval.NeedJudge", text="Is water wet?", max_output_tokens=2)
        result: dict[str, Any] = asked["result"]
        return result

    @property
    def told(self) -> list[str]:
        """What the guards decided since this was asked last."""
        keys = [notice.told.key.removeprefix("guards.") for notice in self.runtime.guards.notices]
        self.runtime.guards.notices.clear()
        return keys

    async def loaded(self) -> set[str]:
        return {view.model for view in await self.runtime.views() if view.state == "ready"}


@asynccontextmanager
async def day_of(config: Config, machine: Machine) -> AsyncIterator[Day]:
    async with opened(config, machine.host) as (runtime, triggers):
        machine.pool = runtime.pool
        runtime.pool._sight = replace(runtime.pool._sight, memory=machine.memory)
        day = Day(runtime, triggers)
        runtime.guards = Guards(config.settings, runtime._earn, lambda: day.now)
        yield day


async def test_a_long_day_of_speech_long_contexts_persona_and_judges_in_room_for_two(
    make_home: MakeHome, model: Callable[..., Manifest]
) -> None:
    config = make_home(
        model("light", "lightweight", "judge"),
        model("moe", "optional_moe", "judge", "plan", "long_context", "reasoning"),
        **SETTINGS,
    )
    machine = Machine(config, room_for_two(config))
    async with day_of(config, machine) as day:
        await speech_is_answered_by_the_lighter_one_for_as_long_as_it_lasts(day)
        await long_contexts_earn_a_place(day)
        await beside_it_the_lighter_one_has_no_room(day)
        await what_is_not_needed_any_more_makes_room(day)
        await a_persona_under_its_target_earns_it_again(day)
        await a_slow_judge_is_left_out_and_comes_back(day)
        figures = metrics(day)
        await the_end_comes_in_the_middle_of_a_trigger(day)
        stops = day.runtime.pool.counters.stops
    assert not family(os.getpid())[1:], "every child is gone"
    with closing(Store(config.folders.database)) as store:
        assert [left.trigger for left in Chains(store).take_unfinished()] == [
            "Reflection.LongContext"
        ]

    assert stops == {
        ("light", "room"): 3,
        ("moe", "room"): 2,
        ("main", "closing"): 1,
        ("moe", "closing"): 1,
    }
    held_bytes, promised_bytes = map(max, zip(*machine.looks, strict=True))
    assert machine.room_bytes // 2 < held_bytes <= machine.room_bytes
    assert machine.room_bytes // 2 < promised_bytes <= machine.room_bytes

    assert figures["moe_judge_latency_ms_count"] == 3
    assert figures["moe_judge_latency_ms_sum"] > 0
    assert figures["moe_planner_latency_ms_count"] == 1
    assert figures["moe_planner_latency_ms_sum"] > 0
    assert figures["moe_judge_agreement_rate"] == pytest.approx(2 / 3)
    assert figures["moe_memory_resident_sec"] > 0


async def speech_is_answered_by_the_lighter_one_for_as_long_as_it_lasts(day: Day) -> None:
    assert await day.say("Hello.") == "main"
    await day.speak(9)
    assert await day.say("Hello.") == "main", "not long enough yet"
    day.now += 2
    assert await day.say("Hello.") == "light"
    assert await day.say("Hello.", "main") == "main", "who names it gets it"
    await day.signal("Speech.Ended", source="microphone")
    day.now += 6
    assert await day.say("Hello.") == "main"
    assert day.told == ["divert_lightweight", "restore_quiet"]
    assert await day.loaded() == {"main", "light"}


async def long_contexts_earn_a_place(day: Day) -> None:
    for _ in range(4):
        await day.say("Hello.")
    assert await day.say(LONG) == "main"
    assert day.told == [], "one of ten is below the share"
    sent = await day.signal("Reflection.LongContext", text=LONG, max_output_tokens=2)
    assert sent["notices"] == ["earn_long_context"]
    assert (sent["result"]["ok"], sent["result"]["model"]) == (True, "moe")
    assert sent["result"]["prompt_tokens"] > 300
    (notice,) = day.runtime.guards.notices
    assert notice.told.facts["found_share"] > 0.15  # type: ignore[operator]
    assert await day.loaded() == {"main", "moe"}
    planned = await day.signal("Plan.Generate", text="Tea.", max_output_tokens=2)
    assert planned["result"]["model"] == "moe"
    assert day.told == ["earn_long_context"]


async def beside_it_the_lighter_one_has_no_room(day: Day) -> None:
    await day.speak(11)
    assert await day.say("Hello.") == "main"
    assert day.runtime.window_tokens() == 1024, "half of its own"
    day.now += 300
    assert day.runtime.window_tokens() == 2048, "though speech goes on"
    day.now += 600
    assert day.told == ["divert_lightweight", "restore_bound"]


async def what_is_not_needed_any_more_makes_room(day: Day) -> None:
    day.now += 2 * 24 * 3600.0  # as if the microphone had crashed, and nobody asked for two days
    await day.say("Hello.")
    assert day.told == ["lose_long_context"]
    await day.speak(11)
    assert await day.say("Hello.") == "light", "of the same microphone, back again"
    assert await day.loaded() == {"main", "light"}
    await day.signal("Speech.Ended", source="microphone")
    day.now += 6
    assert await day.say("Hello.") == "main"
    assert day.told == ["divert_lightweight", "restore_quiet"]


async def a_persona_under_its_target_earns_it_again(day: Day) -> None:
    assert (await day.signal("Persona.Scored", adherence=0.79, target=0.8))["notices"] == []
    scored = await day.signal("Persona.Scored", adherence=0.7, target=0.8)
    assert scored["notices"] == ["earn_persona"]
    verdict = await day.ask_judge()
    assert (verdict["name"], verdict["ok"], verdict["model"]) == ("Judge.Result", True, "moe")
    for agreed in (True, True, False):
        await day.signal("Judge.Agreed", agreed=agreed)
    assert await day.loaded() == {"main", "moe"}
    assert day.told == ["earn_persona"]


async def a_slow_judge_is_left_out_and_comes_back(day: Day) -> None:
    assert await day.say("Is water wet?", "moe", takes_s=121) == "moe"
    with pytest.raises(ModelDisabled):
        await day.say("Is water wet?", "moe")
    assert (await day.ask_judge())["model"] == "light", "the next one that can"
    assert await day.loaded() == {"main", "light"}
    day.now += 301
    assert (await day.ask_judge())["model"] == "moe"
    assert await day.loaded() == {"main", "moe"}
    assert day.told == ["disable", "enable"]


async def the_end_comes_in_the_middle_of_a_trigger(day: Day) -> None:
    sent = asyncio.create_task(
        day.signal("Reflection.LongContext", text=BOOK, max_output_tokens=300)
    )
    async with asyncio.timeout(60):
        while all(view.leases == 0 for view in await day.runtime.views()):
            await asyncio.sleep(0)
    await day.triggers.close()
    result = (await sent)["result"]
    assert (result["ok"], result["model"]) == (False, "moe")
    assert result["error"]["code"] == Stopping.code


def metrics(day: Day) -> dict[str, float]:
    """The figures of optional models, as a server of metrics reads them."""
    text = exposition(day.runtime, [], 1.0, day.triggers.tally).decode()
    families = text_string_to_metric_families(text)
    samples = [sample for one in families for sample in one.samples]
    return {sample.name: sample.value for sample in samples if sample.name.startswith("moe_")}

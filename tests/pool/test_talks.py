"""No talk ever has another's state, and what is kept of one is whole, bounded and forgotten."""

import asyncio
import json
import logging
import os
import signal
import stat
from contextlib import aclosing
from pathlib import Path

import pytest

from lumbre.core.generation import ChatRequest
from lumbre.core.messages import Message
from tests.pool.talking import FEW, OTHER_RULES, RULES, SEEDS, Bench, opening, turns

pytestmark = pytest.mark.anyio


@pytest.fixture
def bench(tmp_path: Path, smollm2: Path) -> Bench:
    return Bench(tmp_path, smollm2)


async def test_two_talks_with_one_slot_keep_apart_and_each_finds_its_own_again(
    bench: Bench,
) -> None:
    mine, yours = [RULES], [OTHER_RULES]
    asked = Message("user", "What are my seeds called?")
    async with bench.loaded() as loaded:
        alone, _ = await loaded.ask(None, [OTHER_RULES, asked])
        first = await turns(loaded, 1, mine, f"{SEEDS}What shall I plant first?")
        assert first.cached_tokens < FEW  # nothing of what was asked without a talk
        other = await turns(loaded, 2, yours, asked.text)
        assert other.cached_tokens < FEW
        assert yours[-1].text == alone
        again = await turns(loaded, 1, mine, "And then?")
        assert again.cached_tokens >= first.prompt_tokens
        back = await turns(loaded, 2, yours, "Say it again.")
        assert back.cached_tokens >= other.prompt_tokens - 1
    assert bench.talks.counts.misses == {}
    assert {name.split("-")[0] for name in bench.states()} == {"1", "2"}


async def test_of_another_talk_only_the_same_rules_are_not_read_again(bench: Bench) -> None:
    async with bench.loaded() as loaded:
        await loaded.ask(1, opening())
        rules = await loaded.engine.count([RULES])
        _, usage = await loaded.ask(2, [RULES, Message("user", "What are my seeds called?")])
        assert 0 < usage.cached_tokens <= rules


async def test_a_request_without_a_talk_leaves_a_talks_slot_where_another_is_free(
    bench: Bench,
) -> None:
    async with bench.loaded(slots=2) as loaded:
        talk = [RULES]
        first = await turns(loaded, 1, talk, f"{SEEDS}What shall I plant first?")
        for words in ("Name a colour.", "Name a number.", "Name a tree."):
            await loaded.ask(None, opening(words, OTHER_RULES))
        again = await turns(loaded, 1, talk, "And then?")
        assert again.cached_tokens >= first.prompt_tokens
        assert bench.talks.counts.restores == {}


async def test_where_no_slot_is_free_the_talk_is_saved_before_and_comes_back(bench: Bench) -> None:
    async with bench.loaded() as loaded:
        talk = [RULES]
        first = await turns(loaded, 1, talk, f"{SEEDS}What shall I plant first?")
        _, usage = await loaded.ask(None, opening("Name a colour.", OTHER_RULES))
        assert usage.cached_tokens < FEW
        again = await turns(loaded, 1, talk, "And then?")
        assert again.cached_tokens >= first.prompt_tokens
        assert bench.talks.counts.restores == {"smollm2": 1}


async def test_two_talks_at_once_have_a_slot_each_and_a_third_waits_for_one(bench: Bench) -> None:
    async with bench.loaded(slots=2) as loaded:
        asked = [opening(f"My name is {name}. ") for name in ("Ana", "Bo", "Cy")]
        answers = await asyncio.gather(
            *(loaded.ask(number, messages) for number, messages in enumerate(asked, 1)),
            loaded.ask(1, asked[0]),
            loaded.ask(None, asked[1]),
        )
        assert all(text for text, _ in answers)
        for number, messages in enumerate(asked, 1):
            _, usage = await loaded.ask(number, messages)
            assert usage.cached_tokens == usage.prompt_tokens - 1
        assert bench.talks.counts.misses == {}


async def test_whoever_leaves_in_mid_answer_finds_what_was_read_until_then(bench: Bench) -> None:
    async with bench.loaded() as loaded:
        request = ChatRequest(tuple(opening()), 200, temperature=0.0, conversation=1)
        steps = bench.talks.chat(loaded.lease, request)
        async with aclosing(steps) as deltas:
            async for delta in deltas:
                if delta.text:
                    break
        prompt_tokens = await loaded.engine.count(opening())
    async with bench.loaded() as loaded:
        _, usage = await loaded.ask(1, opening())
        assert usage.cached_tokens >= prompt_tokens - 1


async def test_files_are_closed_to_others_whatever_the_umask(bench: Bench) -> None:
    before = os.umask(0)
    try:
        async with bench.loaded() as loaded:
            await loaded.ask(1, opening())
    finally:
        os.umask(before)
    paths = list(bench.folder.iterdir())
    assert len(paths) == 2
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o600, 0o600]


async def test_a_damaged_file_is_deleted_and_the_prompt_read_again(bench: Bench) -> None:
    """The engine itself would end over it."""
    async with bench.loaded() as loaded:
        said, _ = await loaded.ask(1, opening())
    (state,) = bench.folder.glob("*.state")
    data = state.read_bytes()
    state.write_bytes(data[: len(data) // 2])
    async with bench.loaded() as loaded:
        text, usage = await loaded.ask(1, opening())
        assert text == said
        assert usage.cached_tokens < FEW
        assert bench.states() == []


async def test_a_state_of_another_context_is_not_used(bench: Bench) -> None:
    async with bench.loaded(context_tokens=2048) as loaded:
        await loaded.ask(1, opening())
    async with bench.loaded(context_tokens=1024) as loaded:
        _, usage = await loaded.ask(1, opening())
        assert usage.cached_tokens < FEW
        assert bench.talks.counts.restores == {}


async def test_a_state_that_brings_less_than_it_was_said_to_hold_is_a_miss_and_goes(
    bench: Bench,
) -> None:
    async with bench.loaded() as loaded:
        await loaded.ask(1, opening())
    (facts,) = bench.folder.glob("*.json")
    told = json.loads(facts.read_text())
    facts.write_text(json.dumps(told | {"tokens": 900, "prompt_tokens": 900}))
    async with bench.loaded() as loaded:
        await loaded.ask(1, opening())
        assert bench.talks.counts.misses == {"smollm2": 1}
        assert bench.states() == []


async def test_a_forgotten_talk_leaves_nothing_on_disk_or_in_the_engine(bench: Bench) -> None:
    async with bench.loaded() as loaded:
        await loaded.ask(1, opening())
    async with bench.loaded(slots=2) as loaded:
        await loaded.ask(1, opening())
        await loaded.ask(2, opening("Roses. "))
        await bench.talks.forget(1)
        assert bench.states() == []
        await loaded.ask(1, opening())
        await bench.talks.forget(1)
    assert {name.split("-")[0] for name in bench.states()} == {"2"}


async def test_more_than_the_bound_is_never_kept(tmp_path: Path, smollm2: Path) -> None:
    bound_bytes = 5 * 2**20  # a talk has about two
    bench = Bench(tmp_path, smollm2, bound_bytes)
    async with bench.loaded() as loaded:
        for number in (1, 2, 3, 4):
            await loaded.ask(number, opening(f"{number} {SEEDS}"))
            assert sum(path.stat().st_size for path in bench.folder.iterdir()) <= bound_bytes
    kept = {name.split("-")[0] for name in bench.states()}
    assert "4" in kept
    assert "1" not in kept


async def test_a_full_disk_stops_no_unload(
    small_disk: Path, smollm2: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(small_disk, smollm2)
    with caplog.at_level(logging.WARNING):
        async with bench.loaded() as loaded:
            said, _ = await loaded.ask(1, opening(SEEDS * 3))
    assert bench.states() == []
    assert "not kept" in caplog.text
    async with bench.loaded() as loaded:
        text, usage = await loaded.ask(1, opening(SEEDS * 3))
        assert text == said
        assert usage.cached_tokens < FEW


async def test_an_engine_that_does_not_write_in_time_stops_no_unload(bench: Bench) -> None:
    async with bench.loaded() as loaded:
        await loaded.ask(1, opening())
        os.kill(loaded.worker.pid, signal.SIGSTOP)
        await bench.talks.before_stop(loaded.number, limit_s=0.1)
        assert bench.states() == []
        os.kill(loaded.worker.pid, signal.SIGKILL)


async def test_an_engine_that_is_gone_stops_no_unload(bench: Bench) -> None:
    async with bench.loaded() as loaded:
        await loaded.ask(1, opening())
        os.kill(loaded.worker.pid, signal.SIGKILL)
        await loaded.worker.gone()
    assert bench.states() == []

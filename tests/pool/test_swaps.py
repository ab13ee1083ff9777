"""A talk goes on after a swap as if there had been none."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol, runtime_checkable

import pytest

from lumbre.core.generation import ChatRequest, Usage
from lumbre.core.messages import Message
from lumbre.hardware.memory import read_memory
from lumbre.pool.lease import Prepared
from lumbre.pool.pool import Pool
from tests.pool import tiny
from tests.pool.talking import FEW, OTHER_RULES, RULES, SEEDS, Bench, opening, turns

pytestmark = pytest.mark.anyio


@runtime_checkable
class Windowed(Protocol):
    """An engine that knows how much it reads at a time."""

    @property
    def window_tokens(self) -> int: ...


@pytest.fixture
def bench(tmp_path: Path, smollm2: Path) -> Bench:
    return Bench(tmp_path, smollm2)


@pytest.fixture(params=["llama_cpp", "llama_server"])
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "llama_server" and not os.environ.get("LUMBRE_TEST_LLAMA_SERVER"):
        pytest.skip("LUMBRE_TEST_LLAMA_SERVER is not set: no llama-server at hand")
    return str(request.param)


async def test_after_a_swap_a_talk_goes_on_with_what_was_read_and_with_the_same_words(
    bench: Bench, engine: str
) -> None:
    talk: list[Message] = [RULES]
    spring = Message("user", "And in spring?")
    async with bench.loaded(engine=engine, saves=False) as first:
        last = await turns(first, 7, talk, f"{SEEDS}What shall I plant first?", "And then?")
        await bench.talks.before_stop(first.number)
        unswapped, _ = await first.ask(7, [*talk, spring], 12)
    async with bench.loaded(engine=engine) as second:
        text, usage = await second.ask(7, [*talk, spring], 12)
    assert text == unswapped
    assert usage.cached_tokens >= last.prompt_tokens
    assert bench.talks.counts.restores == {"smollm2": 1}
    assert bench.talks.counts.misses == {}


@pytest.mark.parametrize("model", [tiny.recurrent, tiny.sliding])
def test_what_cannot_be_cut_back_goes_on_from_its_last_prompt_whatever_was_answered(
    tmp_path: Path, engine: str, model: Callable[[], bytes]
) -> None:
    weights = tmp_path / "tiny.gguf"
    weights.write_bytes(model())
    bench = Bench(tmp_path, weights)
    talk = [RULES, Message("user", SEEDS * 3)]

    async def story() -> None:
        async with bench.loaded(engine=engine) as loaded:
            await loaded.ask(1, talk)
            talk.extend([Message("assistant", "Not what it said."), Message("user", SEEDS * 3)])
            _, last = await loaded.ask(1, talk)
        talk.extend([Message("assistant", "Nor this."), Message("user", "And then?")])
        async with bench.loaded(engine=engine) as loaded:
            _, usage = await loaded.ask(1, talk)
            assert usage.cached_tokens >= last.prompt_tokens - 16
        async with bench.loaded(engine=engine) as loaded:  # differs from the first question on
            text, _ = await loaded.ask(1, [RULES, Message("user", "Something else.")])
            assert text
        assert bench.talks.counts.restores == {"smollm2": 2}
        assert bench.talks.counts.misses == {}

    asyncio.run(story())


async def test_with_an_adapter_a_talk_goes_on_in_a_slot_that_had_none_yet(
    tmp_path: Path, engine: str
) -> None:
    """The first request with an adapter empties a slot."""
    weights, adapter = tmp_path / "tiny.gguf", tmp_path / "adapter.gguf"
    weights.write_bytes(tiny.plain())
    adapter.write_bytes(tiny.adapter())
    bench = Bench(tmp_path, weights, adapter=adapter)
    talk = [RULES, Message("user", SEEDS)]
    async with bench.loaded(engine=engine) as loaded:
        _, last = await loaded.ask(1, talk)
    async with bench.loaded(engine=engine, slots=2) as loaded:
        await loaded.ask(None, opening("Name a colour.", OTHER_RULES))
        talk += [Message("assistant", "?"), Message("user", "And then?")]
        _, usage = await loaded.ask(1, talk)
        assert usage.cached_tokens >= last.prompt_tokens - 1
    assert bench.talks.counts.misses == {}


@asynccontextmanager
async def pool_of(bench: Bench, *contexts: int) -> AsyncIterator[Pool]:
    """A pool whose model is prepared with each of these contexts in turn, then with the last."""
    wanted = list(contexts)

    async def prepare(_: str) -> Prepared:
        context_tokens = wanted.pop(0) if len(wanted) > 1 else wanted[0]
        return bench.prepared(1, context_tokens, "llama_cpp")

    pool = Pool(prepare, read_memory, bench.logs, start_timeout_s=60, talks=bench.talks)
    try:
        yield pool
    finally:
        await pool.close()


async def ask_pool(pool: Pool, conversation: int, messages: Sequence[Message]) -> tuple[str, Usage]:
    request = ChatRequest(tuple(messages), 6, temperature=0.0, conversation=conversation)
    text, usage = "", None
    async with pool.lease("smollm2") as lease, aclosing(pool.talks.chat(lease, request)) as deltas:
        async for delta in deltas:
            text += delta.text
            usage = delta.usage or usage
    assert usage is not None
    return text, usage


async def test_the_pool_saves_a_talk_before_it_ends_a_worker_and_restores_it_after_a_load(
    bench: Bench,
) -> None:
    async with pool_of(bench, 2048) as pool:
        said, first = await ask_pool(pool, 1, opening())
        await pool.unload("smollm2")
        again, usage = await ask_pool(pool, 1, opening())
        assert pool.counters.loads == {"smollm2": 2}
        assert (again, usage.cached_tokens) == (said, first.prompt_tokens - 1)
    async with pool_of(bench, 2048) as pool:  # the household was closed meanwhile
        again, usage = await ask_pool(pool, 1, opening())
        assert (again, usage.cached_tokens) == (said, first.prompt_tokens - 1)
    assert bench.talks.counts.saves == {"smollm2": 3}
    assert bench.talks.counts.misses == {}


async def test_a_worker_that_died_takes_its_talks_with_it_and_the_next_reads_again(
    bench: Bench,
) -> None:
    async with pool_of(bench, 2048) as pool:
        said, _ = await ask_pool(pool, 1, opening())
        (pid,) = pool.pids()
        os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):  # dead, and its end not heard of yet
            await asyncio.to_thread(os.waitid, os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        again, usage = await ask_pool(pool, 1, opening())
        assert again == said
        assert usage.cached_tokens < FEW


async def test_whoever_wants_another_context_gets_the_one_that_was_planned_and_no_reload(
    bench: Bench,
) -> None:
    async with pool_of(bench, 1024, 512, 4096) as pool:
        for _ in range(3):
            async with pool.lease("smollm2") as lease:
                assert isinstance(lease.engine, Windowed)
                assert lease.engine.window_tokens == 1024
        assert pool.counters.loads == {"smollm2": 1}
        assert pool.counters.stops == {}

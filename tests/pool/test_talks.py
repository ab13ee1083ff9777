"""A talk goes on after a swap as if there had been none, and no talk ever has another's state."""

import asyncio
import json
import logging
import os
import signal
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pytest

from lumbre import backends
from lumbre.core.backend import WorkerSettings
from lumbre.core.generation import ChatRequest, Usage
from lumbre.core.messages import Message
from lumbre.core.model import Manifest
from lumbre.core.plan import Footprint
from lumbre.hardware.memory import read_memory
from lumbre.pool.lease import Lease, Prepared
from lumbre.pool.pool import Pool
from lumbre.pool.states import States
from lumbre.pool.talks import Talks
from lumbre.pool.worker import Worker, new_key

pytestmark = pytest.mark.anyio

RULES = Message("system", "You are a gardener. You answer in one short sentence.")
OTHER_RULES = Message("system", "Answer as a sailor would.")
SEEDS = "My seeds are called Quetzal, Marmalade and Winter Moon. " * 3
FEW = 10
"""Tokens a template puts before any prompt: a worker's first token was drawn with them."""


@runtime_checkable
class Windowed(Protocol):
    """An engine that knows how much it reads at a time."""

    @property
    def window_tokens(self) -> int: ...


class Bench:
    """One home in which a model is loaded and unloaded."""

    def __init__(self, folder: Path, weights: Path, bound_bytes: int = 2**30) -> None:
        self.folder = folder / "states"
        self.logs = folder / "logs"
        self.weights = weights
        self.talks = Talks(States(self.folder, bound_bytes, disk_left_bytes=0))
        self.count = 0

    def prepared(self, slots: int, context_tokens: int, engine: str) -> Prepared:
        manifest = Manifest(
            id="smollm2", family="smollm2", role="primary", format="gguf",
            capabilities=("chat",), revision="1", path="smollm2.gguf",
            checksum_sha256="0" * 64,
        )  # fmt: skip
        settings = WorkerSettings(
            context_tokens=context_tokens,
            slots=slots,
            states_folder=str(self.folder),
            engine_path=os.environ.get("LUMBRE_TEST_LLAMA_SERVER", "")
            if engine == "llama_server"
            else "",
        )
        return Prepared(
            manifest=manifest,
            files={"weights": self.weights},
            settings=settings,
            need={"cpu": Footprint(weights_bytes=1)},
            idle_s=None,
            slots=slots,
            engine=engine,
        )

    @asynccontextmanager
    async def loaded(
        self,
        slots: int = 1,
        context_tokens: int = 2048,
        engine: str = "llama_cpp",
        *,
        saves: bool = True,
    ) -> AsyncIterator["Loaded"]:
        """A worker for the time of the block; the talks in it are saved at its end."""
        self.count += 1
        number = self.count
        prepared = self.prepared(slots, context_tokens, engine)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        backend = backends.find(prepared.engine)
        launch = backend.launch(prepared.manifest, prepared.files, prepared.settings, new_key())
        worker = await Worker.start(launch, "smollm2", self.logs / f"{number}.log")
        connected: Any = backend.connect(prepared.manifest, worker.url, worker.key)
        try:
            await connected.ready()
            yield Loaded(self.talks, number, connected, prepared, worker)
            if saves:
                await self.talks.before_stop(number)
        finally:
            await connected.close()
            await worker.stop()
            self.talks.gone(number)

    def states(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


class Loaded:
    """A worker, and a way to talk with it."""

    def __init__(
        self, talks: Talks, number: int, engine: Any, prepared: Prepared, worker: Worker
    ) -> None:
        self.talks, self.number, self.engine, self.worker = talks, number, engine, worker
        self.lease = Lease(number, prepared, engine, 0.0)

    async def ask(
        self, conversation: int | None, messages: Sequence[Message], tokens: int = 6
    ) -> tuple[str, Usage]:
        request = ChatRequest(
            tuple(messages), tokens, temperature=0.0, seed=1, conversation=conversation
        )
        text, usage = "", None
        steps = self.talks.chat(self.lease, request)
        async with aclosing(steps) as deltas:
            async for delta in deltas:
                text += delta.text
                usage = delta.usage or usage
        assert usage is not None
        return text, usage


@pytest.fixture
def bench(tmp_path: Path, smollm2: Path) -> Bench:
    return Bench(tmp_path, smollm2)


def opening(words: str = SEEDS, rules: Message = RULES) -> list[Message]:
    return [rules, Message("user", f"{words}What shall I plant first?")]


async def turns(loaded: Loaded, conversation: int | None, talk: list[Message], *more: str) -> Usage:
    """Go on with a talk; what was said is appended to it."""
    usage = None
    for said in more:
        talk.append(Message("user", said))
        text, usage = await loaded.ask(conversation, talk)
        talk.append(Message("assistant", text))
    assert usage is not None
    return usage


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
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # dead, and nobody was told
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

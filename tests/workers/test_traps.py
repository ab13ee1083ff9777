"""What llama.cpp's server is known to do wrong, one test each, on the real engine."""

import asyncio
import os
import signal
from contextlib import aclosing
from pathlib import Path
from typing import Any

import psutil
import pytest

from lumbre.core.errors import EngineError, PromptTooLong, WorkerFailed
from lumbre.core.generation import ChatRequest, Delta
from lumbre.core.messages import Message
from lumbre.core.model import Manifest
from lumbre.pool.worker import Worker
from tests.workers.running import Running

STORY = ChatRequest(
    (Message("user", "Write a very long story about a whale."),), 8000, temperature=0.0
)
"""Goes on for 1,500 tokens and more: who waits for its end waits a minute."""
BOOK = ChatRequest((Message("user", "one two three four " * 1500),), 1, temperature=0.0)
"""Half a minute to read."""


async def slot(engine: Any) -> dict[str, Any]:
    """The state of the worker's one slot, by its own endpoint."""
    response = await engine.wire._open("GET", "/slots", None)
    async with response:
        slots: list[dict[str, Any]] = await response.json()
    return slots[0]


async def until(engine: Any, *, is_processing: bool) -> None:
    async with asyncio.timeout(10):
        while (await slot(engine))["is_processing"] != is_processing:
            await asyncio.sleep(0)


async def until_logged(worker: Worker, words: str) -> None:
    """The engine's log is written from a thread of its own."""
    async with asyncio.timeout(10):
        while words not in worker.log_tail():
            await asyncio.sleep(0)


async def collect(engine: Any, request: ChatRequest) -> list[Delta]:
    async with aclosing(engine.chat(request)) as deltas:
        return [delta async for delta in deltas]


def test_requests_go_on_after_the_server_has_closed_a_kept_connection(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    """It does after 100; several at a time meet it in every state."""

    async def story() -> None:
        async with running(chatter, smollm2) as (_, engine):
            asked = [Message("user", "one two")]
            first = await engine.count(asked)
            for _ in range(120):
                assert await engine.count(asked) == first
            counts = await asyncio.gather(*(engine.count(asked) for _ in range(250)))
            assert counts == [first] * 250

    asyncio.run(story())


def test_leaving_a_stream_frees_the_slot(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    async def story() -> None:
        async with running(chatter, smollm2, context_tokens=8192) as (worker, engine):
            async with aclosing(engine.chat(STORY)) as deltas:
                async for delta in deltas:
                    if delta.text:
                        break
                assert (await slot(engine))["is_processing"]
            await until(engine, is_processing=False)
            await until_logged(worker, "cancel task")

    asyncio.run(story())


def test_leaving_while_the_prompt_is_read_frees_the_slot(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    """The server looks only when it writes: without progress to write it read to the end."""

    async def story() -> None:
        async with running(chatter, smollm2, context_tokens=8192) as (worker, engine):
            async with aclosing(engine.chat(BOOK)) as deltas:
                assert (await anext(deltas)).progress is not None
            await until(engine, is_processing=False)
            await until_logged(worker, "cancel task")

    asyncio.run(story())


@pytest.mark.parametrize("request_", [STORY, BOOK], ids=["writing", "reading"])
def test_cancelling_one_who_waits_for_the_whole_answer_frees_the_slot(
    running: Running, chatter: Manifest, smollm2: Path, request_: ChatRequest
) -> None:
    async def story() -> None:
        async with running(chatter, smollm2, context_tokens=8192) as (worker, engine):
            waiting = asyncio.create_task(collect(engine, request_))
            await until(engine, is_processing=True)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await until(engine, is_processing=False)
            await until_logged(worker, "cancel task")

    asyncio.run(story())


def test_the_prompt_cache_outside_the_slots_is_as_large_as_planned(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    """The engine's own default is 8 GiB, outside of every prediction."""

    async def said(cache_ram_mib: int) -> str:
        loud = {"verbosity": 4}
        async with running(chatter, smollm2, cache_ram_mib=cache_ram_mib, engine_options=loud) as (
            worker,
            _,
        ):
            return worker.log_tail()

    assert "prompt cache is enabled, size limit: 16 MiB" in asyncio.run(said(16))
    assert "prompt cache is disabled" in asyncio.run(said(0))


def test_without_a_prompt_cache_a_worker_does_not_grow_with_the_prompts_it_reads(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    """Each of these would leave 3 MiB of keys and values behind."""

    async def story() -> None:
        async with running(chatter, smollm2) as (worker, engine):
            await collect(engine, words("zero", 150))
            before = worker.private_bytes()
            for word in ("one", "two"):
                await collect(engine, words(word, 150))
            assert worker.private_bytes() - before < 3 * 2**20

    asyncio.run(story())


def test_a_prompt_over_the_window_is_refused_with_both_counts_and_harms_nobody(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    async def story() -> None:
        async with running(chatter, smollm2, context_tokens=256) as (_, engine):
            long = words("word", 400)
            with pytest.raises(PromptTooLong) as caught:
                await collect(engine, long)
            assert caught.value.facts == {
                "model": chatter.id,
                "prompt_tokens": await engine.count(long.messages),
                "window_tokens": engine.window_tokens,
            }
            assert (await collect(engine, words("word", 3)))[-1].finish is not None

    asyncio.run(story())


def test_a_text_over_the_window_of_an_embedder_is_refused_with_both_counts(
    running: Running, gguf_embedder: Manifest, smollm2: Path
) -> None:
    async def story() -> None:
        async with running(gguf_embedder, smollm2, context_tokens=256) as (_, engine):
            with pytest.raises(PromptTooLong) as caught:
                await engine.embed(["short", "word " * 400])
            assert caught.value.facts["window_tokens"] == 256
            assert int(str(caught.value.facts["prompt_tokens"])) > 400
            assert len(await engine.embed(["short"])) == 1

    asyncio.run(story())


def test_an_abort_in_one_worker_is_its_own_end_alone(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    async def story() -> None:
        async with (
            running(chatter, smollm2, context_tokens=4096) as (worker, engine),
            running(chatter, smollm2) as (_, other),
        ):
            with pytest.raises(EngineError) as caught:
                async with aclosing(engine.chat(STORY)) as deltas:
                    async for delta in deltas:
                        if delta.text:
                            os.kill(worker.pid, signal.SIGABRT)
            assert isinstance(caught.value, WorkerFailed)
            assert await worker.gone() == -signal.SIGABRT
            assert worker.failure().facts["reason"] == "killed by SIGABRT"
            with pytest.raises(WorkerFailed):
                await engine.count([Message("user", "hello")])
            assert (await collect(other, words("word", 3)))[-1].finish is not None

    asyncio.run(story())


def test_threads_that_wait_sleep_and_reading_and_writing_have_their_own_number(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    """Spinning, two workers on busy cores ran 12 times slower."""

    async def story() -> None:
        loud = {"verbosity": 4}
        settings: dict[str, Any] = {
            "prompt_threads": 2,
            "generation_threads": 1,
            "engine_options": loud,
        }
        async with running(chatter, smollm2, **settings) as (worker, _):
            environment = psutil.Process(worker.pid).environ()
            assert environment["OMP_WAIT_POLICY"] == "PASSIVE"
            assert environment["GGML_NO_BACKTRACE"] == "1"
            assert "n_threads = 1 (n_threads_batch = 2)" in worker.log_tail()

    asyncio.run(story())


def words(word: str, count: int) -> ChatRequest:
    return ChatRequest((Message("user", f"{word} " * count),), 1, temperature=0.0)


@pytest.mark.parametrize("model", ["chatter", "served_chatter"])
def test_of_all_cheap_questions_the_one_we_ask_is_answered_by_the_inference_loop(
    running: Running, model: str, smollm2: Path, request: pytest.FixtureRequest
) -> None:
    """/health, /props and /slots are answered in the middle of a batch, so also of one that hangs.

    Should a build answer this one there as well, health needs another question.
    """

    async def story() -> None:
        manifest = request.getfixturevalue(model)
        page = ChatRequest((Message("user", "one two three four " * 60),), 1, temperature=0.0)
        async with running(manifest, smollm2, context_tokens=2048, batch_tokens=2048) as (
            _,
            engine,
        ):
            reading = asyncio.create_task(collect(engine, page))
            await until(engine, is_processing=True)
            asking = asyncio.create_task(engine.alive())
            for path in ("/health", "/props", "/slots"):
                for _ in range(10):
                    await engine.wire.prove(path)
            assert (await slot(engine))["is_processing"]
            assert not asking.done()
            await asking
            await reading

    asyncio.run(story())

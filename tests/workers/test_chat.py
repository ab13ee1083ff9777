"""A chat worker streams what a real model says, counts exactly, and serves nobody else."""

import asyncio
import urllib.error
import urllib.request
from contextlib import aclosing
from pathlib import Path
from typing import Any

import psutil
import pytest

from lumbre.core.backend import Chats, Embeds
from lumbre.core.generation import ChatRequest, Delta
from lumbre.core.messages import Message
from lumbre.core.model import Manifest
from tests.workers.running import Running

COLOURS = (Message("user", "Name three colours."),)


def greedy(messages: tuple[Message, ...] = COLOURS, tokens: int = 12) -> ChatRequest:
    return ChatRequest(messages, max_output_tokens=tokens, temperature=0.0, seed=1)


async def collect(engine: Any, request: ChatRequest) -> list[Delta]:
    async with aclosing(engine.chat(request)) as deltas:
        return [delta async for delta in deltas]


def test_an_answer_is_text_and_then_one_end_with_its_counts(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    async def story() -> None:
        async with running(chatter, smollm2) as (_, engine):
            assert isinstance(engine, Chats)
            assert not isinstance(engine, Embeds)
            deltas = await collect(engine, greedy())
            *steps, end = deltas
            assert "".join(delta.text for delta in steps).strip()
            assert all(delta.finish is None and delta.usage is None for delta in steps)
            assert end.finish == "length"
            assert end.usage is not None
            assert end.usage.output_tokens == 12
            assert end.usage.prompt_tokens == await engine.count(COLOURS)
            reading = [delta.progress for delta in steps if delta.progress]
            assert reading[-1].read_tokens == reading[-1].total_tokens == end.usage.prompt_tokens

    asyncio.run(story())


def test_the_same_question_with_the_same_seed_gets_the_same_answer_from_the_cache(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    async def story() -> None:
        async with running(chatter, smollm2) as (_, engine):
            first = await collect(engine, greedy())
            again = await collect(engine, greedy())
            said = ["".join(delta.text for delta in deltas) for deltas in (first, again)]
            assert said[0] == said[1]
            assert again[-1].usage is not None
            assert again[-1].usage.cached_tokens >= again[-1].usage.prompt_tokens - 1

    asyncio.run(story())


def test_a_stop_text_ends_the_answer_before_it(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    async def story() -> None:
        async with running(chatter, smollm2) as (_, engine):
            whole = "".join(delta.text for delta in await collect(engine, greedy(tokens=20)))
            stop = whole.strip()[-3:]
            request = ChatRequest(COLOURS, 20, temperature=0.0, seed=1, stop=(stop,))
            cut = await collect(engine, request)
            assert "".join(delta.text for delta in cut) == whole[: whole.index(stop)]
            assert cut[-1].finish == "stop"

    asyncio.run(story())


def test_a_bare_text_is_counted_without_template(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    async def story() -> None:
        async with running(chatter, smollm2, context_tokens=1024) as (_, engine):
            assert engine.window_tokens == 1024
            empty = await engine.count([Message("user", "")])
            assert await engine.count([Message("user", "hello hello hello")]) == empty + 3

    asyncio.run(story())


def test_two_talks_run_at_once_in_two_slots(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    async def story() -> None:
        async with (
            running(chatter, smollm2, slots=2) as (_, engine),
            aclosing(engine.chat(greedy(tokens=200))) as long,
        ):
            async for delta in long:
                if delta.text:
                    break
            short = await collect(engine, greedy(tokens=3))
            assert short[-1].finish == "length"
            assert (await anext(long)).finish is None

    asyncio.run(story())


def test_a_gguf_can_embed(running: Running, gguf_embedder: Manifest, smollm2: Path) -> None:
    async def story() -> None:
        async with running(gguf_embedder, smollm2) as (_, engine):
            assert isinstance(engine, Embeds)
            assert not isinstance(engine, Chats)
            texts = [f"the number {n}" for n in range(20)] + ["a " * 100]
            vectors = await engine.embed(texts)
            assert [len(vector) for vector in vectors] == [576] * 21
            for vector in vectors:
                assert sum(x * x for x in vector) == pytest.approx(1, abs=1e-5)
            assert vectors[3] == (await engine.embed([texts[3]]))[0]

    asyncio.run(story())


def test_nobody_is_served_without_the_key(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    async def story() -> None:
        async with running(chatter, smollm2) as (worker, _):
            for key in (None, "wrong", worker.key + "x"):
                for path in ("/slots", "/props", "/v1/models/x", "/v1/chat/completions"):
                    assert await asyncio.to_thread(status, worker.url + path, key) == 401, path
            assert await asyncio.to_thread(status, worker.url + "/slots", worker.key) == 200

    asyncio.run(story())


def test_it_listens_on_loopback_alone_and_its_key_is_nowhere_to_be_read(
    running: Running, chatter: Manifest, smollm2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "a secret of the user's")

    async def story() -> None:
        async with running(chatter, smollm2) as (worker, _):
            process = psutil.Process(worker.pid)
            listening = [c.laddr for c in process.net_connections() if c.status == "LISTEN"]
            assert [address.ip for address in listening] == ["127.0.0.1"]
            assert worker.url == f"http://127.0.0.1:{listening[0].port}"
            told = "\0".join([*process.cmdline(), *process.environ().values(), worker.log_tail()])
            assert worker.key not in told
            assert "a secret of the user's" not in told
            assert str(smollm2) not in "\0".join(process.cmdline())

    asyncio.run(story())


def test_two_starts_have_two_keys(running: Running, chatter: Manifest, smollm2: Path) -> None:
    async def story() -> None:
        async with (
            running(chatter, smollm2) as (first, _),
            running(chatter, smollm2) as (second, _),
        ):
            assert first.key != second.key
            assert first.url != second.url
            assert await asyncio.to_thread(status, first.url + "/slots", second.key) == 401

    asyncio.run(story())


def status(url: str, key: str | None) -> int:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code

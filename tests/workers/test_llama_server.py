"""An outside llama-server lives in its worker: no longer than it, counted with it, and as safe."""

import asyncio
import os
import signal
import stat
from contextlib import aclosing
from pathlib import Path
from typing import Any

import psutil
import pytest

from lumbre.core.errors import WorkerFailed
from lumbre.core.generation import ChatRequest, Delta
from lumbre.core.messages import Message
from lumbre.core.model import Manifest
from lumbre.hardware.usage import family, private_bytes, pss_bytes
from lumbre.pool.worker import Worker
from tests.workers.running import Running
from tests.workers.test_chat import COLOURS, collect, greedy
from tests.workers.test_life import pause, watched
from tests.workers.test_load_errors import cut, no_gguf, reason, strange_tokenizer
from tests.workers.test_traps import BOOK, STORY, until

GREEDY = greedy()


def server_of(worker: Worker) -> int:
    _, server = family(worker.pid)
    return server


def script(folder: Path, text: str) -> str:
    path = folder / "llama-server"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def said(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


@pytest.mark.parametrize("is_stopped", [False, True])
def test_the_server_dies_with_its_killed_worker(
    running: Running, served_chatter: Manifest, smollm2: Path, *, is_stopped: bool
) -> None:
    async def story() -> None:
        async with running(served_chatter, smollm2) as (worker, _):
            server = server_of(worker)
            with watched(server) as ends:
                if is_stopped:
                    pause(server)
                os.kill(worker.pid, signal.SIGKILL)
                assert await asyncio.to_thread(ends)
            await worker.gone()

    asyncio.run(story())


@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGABRT])
def test_a_worker_ends_as_its_server_did(
    running: Running, served_chatter: Manifest, smollm2: Path, with_signal: signal.Signals
) -> None:
    async def story() -> None:
        async with running(served_chatter, smollm2) as (worker, engine):
            os.kill(server_of(worker), with_signal)
            assert await worker.gone() == -with_signal
            assert worker.failure().facts["reason"] == f"killed by {with_signal.name}"
            with pytest.raises(WorkerFailed):
                await collect(engine, GREEDY)

    asyncio.run(story())


@pytest.mark.parametrize("hangs", [False, True])
def test_when_a_stop_returns_the_server_is_gone_too(
    running: Running, served_chatter: Manifest, smollm2: Path, *, hangs: bool
) -> None:
    async def story() -> None:
        async with running(served_chatter, smollm2) as (worker, _):
            server = server_of(worker)
            if hangs:
                pause(worker.pid)
            await worker.stop(grace_s=0.05 if hangs else 10)
            assert worker.exit_status == (-signal.SIGKILL if hangs else 0)
            assert pss_bytes(server) == 0
            assert worker.pss_bytes() == worker.private_bytes() == 0

    asyncio.run(story())


def test_a_cancelled_start_leaves_no_server(
    running: Running, served_chatter: Manifest, smollm2: Path
) -> None:
    async def story() -> None:
        me = psutil.Process()

        async def start() -> None:
            async with running(served_chatter, smollm2):
                pass

        starting = asyncio.create_task(start())
        while len(found := me.children(recursive=True)) < 2:
            await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert not any(
            process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in found
        )

    asyncio.run(story())


def test_its_memory_is_counted_with_its_workers(
    running: Running, served_chatter: Manifest, smollm2: Path
) -> None:
    async def story() -> None:
        async with running(served_chatter, smollm2, load_mode="read") as (worker, _):
            assert worker.private_bytes() > smollm2.stat().st_size
            assert private_bytes(worker.pid) < smollm2.stat().st_size
            assert worker.pss_bytes() > pss_bytes(server_of(worker)) > smollm2.stat().st_size

    asyncio.run(story())


def test_its_key_is_nowhere_to_be_read_and_it_says_nothing_of_whom_it_serves(
    running: Running, served_chatter: Manifest, smollm2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "a secret of the user's")
    monkeypatch.setenv("LLAMA_ARG_HOST", "0.0.0.0")

    async def story() -> None:
        async with running(served_chatter, smollm2) as (worker, engine):
            request = ChatRequest((Message("user", "my secret question"),), 4, temperature=0.0)
            await collect(engine, request)
            for process in map(psutil.Process, family(worker.pid)):
                told = "\0".join([*process.cmdline(), *process.environ().values()])
                assert worker.key not in told
                assert "a secret of the user's" not in told
                assert "LLAMA_ARG_HOST" not in process.environ()
            assert "secret" not in worker.log_tail()
            assert worker.key not in worker.log_tail()
            assert stat.S_IMODE(worker.log_path.stat().st_mode) == 0o600

    asyncio.run(story())


def test_it_answers_as_the_built_in_engine_does(
    running: Running, chatter: Manifest, served_chatter: Manifest, smollm2: Path
) -> None:
    """Two builds of one engine: the counts are the same, and a talk goes on from its cache."""

    async def story() -> None:
        async with (
            running(chatter, smollm2) as (_, built_in),
            running(served_chatter, smollm2) as (_, engine),
        ):
            assert await engine.count(COLOURS) == await built_in.count(COLOURS)
            first, again = await collect(engine, GREEDY), await collect(engine, GREEDY)
            assert said(first).strip()
            assert said(first) == said(again)
            usage = again[-1].usage
            assert usage is not None
            assert usage.cached_tokens >= usage.prompt_tokens - 1
            other = (await collect(built_in, GREEDY))[-1].usage
            assert other is not None
            assert usage.prompt_tokens == other.prompt_tokens

    asyncio.run(story())


def test_it_embeds(
    running: Running, gguf_embedder: Manifest, served_embedder: Manifest, smollm2: Path
) -> None:
    async def story() -> None:
        texts = ["the number 7", "a " * 100]
        async with running(served_embedder, smollm2) as (_, engine):
            theirs = await engine.embed(texts)
        async with running(gguf_embedder, smollm2) as (_, engine):
            ours = await engine.embed(texts)
        for one, other in zip(theirs, ours, strict=True):
            assert sum(a * b for a, b in zip(one, other, strict=True)) == pytest.approx(1, abs=1e-2)

    asyncio.run(story())


@pytest.mark.parametrize("request_", [STORY, BOOK], ids=["writing", "reading"])
def test_leaving_a_stream_frees_its_slot(
    running: Running, served_chatter: Manifest, smollm2: Path, request_: ChatRequest
) -> None:
    async def story() -> None:
        async with running(served_chatter, smollm2, context_tokens=8192) as (_, engine):
            async with aclosing(engine.chat(request_)) as deltas:
                await anext(deltas)
            await until(engine, is_processing=False)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (cut, "data is not within the file bounds"),
        (strange_tokenizer, "unknown pre-tokenizer type: 'martin'"),
        (no_gguf, "invalid magic characters"),
    ],
)
def test_why_a_model_does_not_load_is_named(
    running: Running, served_chatter: Manifest, smollm2: Path, tmp_path: Path, harm: Any, words: str
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(harm(smollm2.read_bytes()))
    assert words in reason(running, served_chatter, broken)


def test_a_plan_with_cards_is_refused_by_a_build_that_sees_none(
    running: Running, chatter: Manifest, served_chatter: Manifest, smollm2: Path
) -> None:
    """It would put everything into main memory, which nobody planned."""
    placed: dict[str, Any] = {"devices": ("gpu0",), "gpu_layers": 3, "tensor_split": (3,)}
    for manifest in (chatter, served_chatter):
        why = reason(running, manifest, smollm2, **placed)
        assert "the plan uses gpu0" in why
        assert "sees no " in why


def test_a_program_that_is_not_there_is_named(
    running: Running, served_chatter: Manifest, smollm2: Path, tmp_path: Path
) -> None:
    gone = str(tmp_path / "gone" / "llama-server")
    why = reason(running, served_chatter, smollm2, engine_path=gone)
    assert why == f"{gone}: No such file or directory"


def test_a_program_that_is_something_else_is_named(
    running: Running, served_chatter: Manifest, smollm2: Path, tmp_path: Path
) -> None:
    other = script(tmp_path, "echo usage: something; exit 3")
    why = reason(running, served_chatter, smollm2, engine_path=other)
    assert why == f"{other} --help ended with 3"
    silent = script(tmp_path, 'echo "-m, --model FNAME    path"')
    why = reason(running, served_chatter, smollm2, engine_path=silent)
    assert "it has no --host" in why


def test_a_script_that_would_leave_its_server_behind_is_refused(
    running: Running,
    served_chatter: Manifest,
    smollm2: Path,
    llama_server: str,
    tmp_path: Path,
) -> None:
    """Only one that becomes the server, with exec, is tied to us."""
    loose = script(tmp_path, f'"{llama_server}" "$@"; exit $?')
    why = reason(running, served_chatter, smollm2, engine_path=loose)
    assert "exec llama-server" in why
    tied = script(tmp_path, f'exec "{llama_server}" "$@"')

    async def story() -> None:
        async with running(served_chatter, smollm2, engine_path=tied) as (_, engine):
            assert said(await collect(engine, GREEDY)).strip()

    asyncio.run(story())


def test_without_a_path_the_program_of_that_name_is_taken(
    running: Running,
    served_chatter: Manifest,
    smollm2: Path,
    llama_server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script(tmp_path, f'exec "{llama_server}" "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    async def story() -> None:
        async with running(served_chatter, smollm2, engine_path="") as (_, engine):
            assert said(await collect(engine, GREEDY)).strip()

    asyncio.run(story())

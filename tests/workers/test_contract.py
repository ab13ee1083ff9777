"""What every kind of engine promises, held against each one there is a file for."""

import asyncio
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from lumbre import backends
from lumbre.core.backend import Backend, Chats, Embeds, WorkerSettings
from lumbre.core.errors import PromptTooLong, WorkerFailed
from lumbre.core.generation import ChatRequest
from lumbre.core.messages import Message
from lumbre.core.model import Manifest
from lumbre.hardware.usage import family, is_running, pulse
from lumbre.pool.worker import Worker, new_key
from tests.workers.running import Running


@dataclass(frozen=True)
class Example:
    """A model that a backend can run here."""

    manifest: Manifest
    weights: Path


@pytest.fixture(scope="module", params=backends.names())
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    yield backends.find(request.param)


@pytest.fixture(scope="module")
def example(backend: Backend, request: pytest.FixtureRequest) -> Example:
    """A new backend brings its row; without one its contract is not held and this fails."""
    rows = {
        "llama_cpp": ("chatter", "smollm2"),
        "llama_server": ("served_chatter", "smollm2"),
        "encoder": ("use", "use_weights"),
    }
    manifest, weights = rows[backend.name]
    return Example(request.getfixturevalue(manifest), request.getfixturevalue(weights))


def test_a_launch_says_what_to_run_and_runs_nothing(backend: Backend, example: Example) -> None:
    before = psutil.Process().children()
    key = new_key()
    wish = WorkerSettings(context_tokens=256)
    files = {"weights": example.weights}
    launch = backend.launch(example.manifest, files, wish, key)
    assert psutil.Process().children() == before
    assert launch.settings["key"] == key
    assert key not in "".join([launch.module, *launch.environment.values()])
    assert launch == backend.launch(example.manifest, files, wish, key)
    assert launch.environment["OMP_WAIT_POLICY"] == "PASSIVE"
    assert launch.environment["DO_NOT_TRACK"] == "1"


def test_an_engine_is_ready_when_it_has_done_its_work_once(
    running: Running, example: Example
) -> None:
    async def story() -> None:
        async with running(example.manifest, example.weights, context_tokens=256) as (_, engine):
            assert engine.window_tokens == 256
            await engine.ready()
            await work(engine)

    asyncio.run(story())


def test_an_idle_engine_proves_for_next_to_nothing_that_it_lives(
    running: Running, example: Example
) -> None:
    async def story() -> None:
        async with running(example.manifest, example.weights, context_tokens=256) as (_, engine):
            await engine.alive()
            assert not engine.is_busy
            assert engine.broken == 0

    asyncio.run(story())


def test_a_stopped_engine_proves_nothing_and_lives_again_when_it_goes_on(
    running: Running, example: Example
) -> None:
    async def story() -> None:
        async with running(example.manifest, example.weights, context_tokens=256) as (
            worker,
            engine,
        ):
            for pid in family(worker.pid):
                os.kill(pid, signal.SIGSTOP)
            while pulse(worker.pid).state != "T":
                pass
            asking = asyncio.create_task(engine.alive())
            await asyncio.wait([asking], timeout=0.2)
            assert not asking.done()
            assert engine.is_busy
            for pid in family(worker.pid):
                os.kill(pid, signal.SIGCONT)
            await asking
            assert not engine.is_busy

    asyncio.run(story())


def test_work_is_seen_as_progress_and_as_processor_time(running: Running, example: Example) -> None:
    async def story() -> None:
        async with running(example.manifest, example.weights, context_tokens=256) as (
            worker,
            engine,
        ):
            before, begun = engine.progress, pulse(worker.pid).cpu_s
            while pulse(worker.pid).cpu_s < begun + 0.05:
                await work(engine)
            assert engine.progress > before

    asyncio.run(story())


def test_a_stopped_worker_is_killed_with_all_it_started(running: Running, example: Example) -> None:
    async def story() -> None:
        async with running(example.manifest, example.weights, context_tokens=256) as (worker, _):
            pids = family(worker.pid)
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            await worker.kill()
            assert worker.exit_status == -signal.SIGKILL
            assert not any(map(is_running, pids))
            await worker.kill()

    asyncio.run(story())


def test_its_window_is_not_guessed_before_it_is_ready(backend: Backend, example: Example) -> None:
    engine: Any = backend.connect(example.manifest, "http://127.0.0.1:1", "k")
    with pytest.raises(RuntimeError):
        _ = engine.window_tokens


def test_what_is_over_the_window_is_refused_and_never_cut(
    running: Running, example: Example
) -> None:
    async def story() -> None:
        async with running(example.manifest, example.weights, context_tokens=256) as (_, engine):
            with pytest.raises(PromptTooLong) as caught:
                await work(engine, "word " * 400)
            assert caught.value.facts["model"] == example.manifest.id
            assert caught.value.facts["window_tokens"] == 256
            await work(engine)

    asyncio.run(story())


def test_many_at_once_are_all_answered(running: Running, example: Example) -> None:
    async def story() -> None:
        async with running(example.manifest, example.weights, slots=2) as (_, engine):
            await asyncio.gather(*(work(engine, f"number {n}") for n in range(6)))

    asyncio.run(story())


def test_only_who_has_the_key_is_served_and_only_on_this_machine(
    running: Running, example: Example
) -> None:
    def status(url: str, key: str) -> int:
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
        try:
            with urllib.request.urlopen(request) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    async def story() -> None:
        async with running(example.manifest, example.weights) as (worker, _):
            connections = [
                connection
                for pid in family(worker.pid)
                for connection in psutil.Process(pid).net_connections()
            ]
            listening = [c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN]
            assert listening == ["127.0.0.1"]
            url = worker.url + "/props"
            assert await asyncio.to_thread(status, url, worker.key) == 200
            assert await asyncio.to_thread(status, url, "wrong") == 401

    asyncio.run(story())


def test_a_killed_worker_is_a_failure_of_its_engine_and_ends_its_gone(
    running: Running, example: Example
) -> None:
    async def story() -> None:
        async with running(example.manifest, example.weights) as (worker, engine):
            os.kill(worker.pid, signal.SIGKILL)
            assert await worker.gone() == -signal.SIGKILL
            with pytest.raises(WorkerFailed):
                await work(engine)

    asyncio.run(story())


def test_closing_an_engine_does_not_stop_its_worker(
    running: Running, backend: Backend, example: Example
) -> None:
    async def story() -> None:
        async with running(example.manifest, example.weights) as (worker, engine):
            await engine.close()
            await engine.close()
            assert worker.exit_status is None
            other: Any = backend.connect(example.manifest, worker.url, worker.key)
            await other.ready()
            await other.close()

    asyncio.run(story())


def test_weights_that_are_not_there_are_a_failure_that_names_them(
    running: Running, example: Example, tmp_path: Path
) -> None:
    async def story() -> None:
        with pytest.raises(WorkerFailed) as caught:
            async with running(example.manifest, tmp_path / "gone"):
                pass
        assert str(tmp_path) in str(caught.value.facts["reason"])

    asyncio.run(story())


def test_nothing_is_left_after_stop(running: Running, example: Example) -> None:
    async def story() -> Worker:
        async with running(example.manifest, example.weights) as (worker, _):
            assert worker.pss_bytes() >= worker.private_bytes() > 0
        return worker

    worker = asyncio.run(story())
    assert worker.exit_status is not None
    assert worker.pss_bytes() == 0
    assert not psutil.pid_exists(worker.pid)


async def work(engine: Any, text: str = "hello") -> None:
    """What this engine is for, once."""
    assert isinstance(engine, Chats) != isinstance(engine, Embeds)
    if isinstance(engine, Embeds):
        (vector,) = await engine.embed([text])
        assert sum(x * x for x in vector) == pytest.approx(1, abs=1e-4)
        return
    request = ChatRequest((Message("user", text),), 2, temperature=0.0)
    async with aclosing(engine.chat(request)) as deltas:
        steps = [delta async for delta in deltas]
    assert [step.finish for step in steps if step.finish] == [steps[-1].finish]

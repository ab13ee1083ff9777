"""A worker lives exactly as long as it is wanted: no longer than its parent, whatever happens."""

import asyncio
import json
import os
import select
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from lumbre.backends.llama_cpp import backend
from lumbre.core.backend import Launch, WorkerSettings
from lumbre.core.errors import WorkerFailed
from lumbre.core.messages import Message
from lumbre.core.model import Manifest
from lumbre.pool.worker import Worker, new_key
from tests.workers.running import Running

SOON_S = 2.0

PARENT = """
import asyncio, json, sys
from pathlib import Path
from lumbre.core.backend import Launch
from lumbre.pool.worker import Worker

async def main():
    module, settings, log = json.loads(sys.argv[1])
    worker = await Worker.start(Launch(module, settings, {}), "child", Path(log))
    print(worker.pid, flush=True)
    await worker.gone()

asyncio.run(main())
"""


@contextmanager
def watched(pid: int) -> Iterator[Callable[[], bool]]:
    """Whether the process ends soon; true for one that nobody has reaped yet."""
    end = os.pidfd_open(pid)
    try:
        yield lambda: bool(select.select([end], [], [], SOON_S)[0])
    finally:
        os.close(end)


def pause(pid: int) -> None:
    """Stop a process, and see it stopped."""
    os.kill(pid, signal.SIGSTOP)
    while psutil.Process(pid).status() != psutil.STATUS_STOPPED:
        pass


@pytest.fixture
def launch(chatter: Manifest, smollm2: Path) -> Launch:
    settings = WorkerSettings(context_tokens=256)
    return backend.launch(chatter, {"weights": smollm2}, settings, new_key())


@pytest.fixture
def parent(launch: Launch, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    order = json.dumps([launch.module, dict(launch.settings), str(tmp_path / "child.log")])
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, order], stdout=subprocess.PIPE, text=True
    )
    with process:
        yield process
        process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="pidfd and the death signal are Linux's")
@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_worker_dies_with_its_killed_parent_even_when_it_was_stopped_itself(
    parent: subprocess.Popen[str], *, is_stopped: bool
) -> None:
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    with watched(child) as ends:
        if is_stopped:
            pause(child)
        parent.kill()
        assert ends()


@pytest.mark.skipif(sys.platform != "linux", reason="pidfd is Linux's")
def test_a_worker_that_never_got_its_orders_ends_with_its_input() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "lumbre.workers.llama"], stdin=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        child.stdin.write(b'{"parent"')
        child.stdin.close()
        assert child.wait() == 0


def test_a_worker_with_another_parent_than_it_was_told_ends(launch: Launch) -> None:
    """Its parent died before it could ask for the signal."""
    order = json.dumps({"parent": 1, "settings": dict(launch.settings)}).encode() + b"\n"
    with subprocess.Popen(
        [sys.executable, "-m", launch.module], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(order)
        child.stdin.flush()
        assert child.stdout.read() == b""
        assert child.wait() == 0


def test_ctrl_c_is_not_for_a_worker(running: Running, chatter: Manifest, smollm2: Path) -> None:
    async def story() -> None:
        async with running(chatter, smollm2, context_tokens=256) as (worker, engine):
            os.kill(worker.pid, signal.SIGINT)
            assert os.getsid(worker.pid) != os.getsid(0)
            assert await engine.count([Message("user", "hello")]) > 0

    asyncio.run(story())


def test_after_stop_nothing_is_left_of_it(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    async def story() -> None:
        async with running(chatter, smollm2, context_tokens=256) as (worker, _):
            assert worker.exit_status is None
            assert worker.pss_bytes() > worker.private_bytes() > 0
            await worker.stop()
            assert worker.exit_status == await worker.gone() == 0
            assert not psutil.pid_exists(worker.pid)
            assert worker.pss_bytes() == worker.private_bytes() == 0
            await worker.stop()

    asyncio.run(story())


def test_a_worker_that_hangs_is_stopped_by_force(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    async def story() -> None:
        async with running(chatter, smollm2, context_tokens=256) as (worker, _):
            pause(worker.pid)
            await worker.stop(grace_s=0.05)
            assert worker.exit_status == -signal.SIGKILL

    asyncio.run(story())


def test_a_stop_goes_on_when_who_asked_for_it_has_left(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    async def story() -> None:
        async with running(chatter, smollm2, context_tokens=256) as (worker, _):
            pause(worker.pid)
            asking = asyncio.create_task(worker.stop(grace_s=0.05))
            await asyncio.sleep(0)
            asking.cancel()
            assert await worker.gone() == -signal.SIGKILL

    asyncio.run(story())


def test_who_ends_by_itself_is_seen_gone_and_says_how(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    async def story() -> None:
        async with running(chatter, smollm2, context_tokens=256) as (worker, _):
            gone = asyncio.create_task(worker.gone())
            os.kill(worker.pid, signal.SIGKILL)
            assert await gone == -signal.SIGKILL
            assert worker.failure().facts["reason"] == "killed by SIGKILL"

    asyncio.run(story())


def test_a_cancelled_start_leaves_no_process(launch: Launch, tmp_path: Path) -> None:
    async def story() -> None:
        me = psutil.Process()
        starting = asyncio.create_task(Worker.start(launch, "smollm2", tmp_path / "log"))
        while not me.children():
            await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert me.children() == []

    asyncio.run(story())


def test_the_log_is_its_owners_alone_and_begins_anew_with_each_start(
    launch: Launch, tmp_path: Path
) -> None:
    log = tmp_path / "new folder" / "worker.log"
    log.parent.mkdir()
    log.write_text("what the last one wrote")
    log.chmod(0o644)

    async def story() -> None:
        worker = await Worker.start(launch, "smollm2", log)
        assert worker.log_tail() == log.read_text()
        assert "what the last one wrote" not in worker.log_tail()
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
        await worker.stop()

    asyncio.run(story())


def test_a_log_that_cannot_be_written_is_a_failure_of_that_worker(
    launch: Launch, tmp_path: Path
) -> None:
    """Not a hole either: a link in its place is not followed."""
    target = tmp_path / "target"
    (tmp_path / "link.log").symlink_to(target)

    async def story() -> None:
        with pytest.raises(WorkerFailed) as caught:
            await Worker.start(launch, "smollm2", tmp_path / "link.log")
        assert caught.value.facts["model"] == "smollm2"
        assert not target.exists()

    asyncio.run(story())

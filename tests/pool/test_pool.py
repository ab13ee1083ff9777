"""The pool does what the policy decides, with real processes: one answer each, none left over."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from lumbre.core.backend import Chats, WorkerSettings
from lumbre.core.errors import (
    DoesNotFit,
    JustFailed,
    NoRoomOnCard,
    Stopping,
    WeightsMissing,
    WorkerFailed,
)
from lumbre.core.generation import ChatRequest
from lumbre.core.machine import CPU, Device, Memory
from lumbre.core.messages import Message
from lumbre.core.model import Manifest, Role
from lumbre.core.plan import Footprint
from lumbre.hardware.memory import read_memory
from lumbre.hardware.nvidia import Card
from lumbre.pool.lease import Limits, Prepared
from lumbre.pool.pool import Pool

MIB = 2**20
HELLO = ChatRequest((Message("user", "Say hello."),), max_output_tokens=4, temperature=0.0)

pytestmark = pytest.mark.anyio


def prepared(weights: Path, *, need_mib: int = 250, idle_s: float | None = None) -> Prepared:
    manifest = Manifest(
        id="smollm2", family="smollm2", role="primary", format="gguf",
        capabilities=("chat",), revision="1", path=weights.name,
    )  # fmt: skip
    return Prepared(
        manifest=manifest,
        files={"weights": weights},
        settings=WorkerSettings(context_tokens=512),
        need={CPU: Footprint(weights_bytes=need_mib * MIB)},
        idle_s=idle_s,
    )


@asynccontextmanager
async def pool_of(
    logs: Path,
    prepare: Callable[[str], Awaitable[Prepared]],
    memory: Callable[[], Memory] = read_memory,
    limits: Limits | None = None,
) -> AsyncIterator[Pool]:
    pool = Pool(prepare, memory, logs, limits=limits, start_timeout_s=60)
    try:
        yield pool
    finally:
        await pool.close()
        assert not workers(), "a worker outlived its pool"


def workers() -> list[psutil.Process]:
    """Worker processes below this one."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if any("lumbre.workers" in word for word in child.cmdline()):
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


async def say_hello(pool: Pool) -> str:
    async with pool.lease("smollm2") as lease:
        assert isinstance(lease.engine, Chats)
        async with aclosing(lease.engine.chat(HELLO)) as deltas:
            return "".join([delta.text async for delta in deltas])


async def test_two_who_ask_at_once_share_one_load_and_both_are_answered(
    smollm2: Path, tmp_path: Path
) -> None:
    async def prepare(_: str) -> Prepared:
        return prepared(smollm2)

    async with pool_of(tmp_path, prepare) as pool:
        first, second = await asyncio.gather(say_hello(pool), say_hello(pool))
        assert first == second != ""
        assert pool.counters.loads == {"smollm2": 1}
        (view,) = await pool.views()
        assert (view.state, view.leases) == ("ready", 0)
        assert view.held_bytes > 50 * MIB  # a worker of another program may share the file


async def test_what_does_not_fit_is_refused_with_its_figures_and_starts_nothing(
    smollm2: Path, tmp_path: Path
) -> None:
    async def prepare(_: str) -> Prepared:
        return prepared(smollm2, need_mib=900)

    async with pool_of(tmp_path, prepare, lambda: Memory(800 * MIB, 800 * MIB)) as pool:
        with pytest.raises(DoesNotFit) as refused:
            await say_hello(pool)
        assert refused.value.facts["need_bytes"] == 900 * MIB
        assert refused.value.facts["available_bytes"] == 800 * MIB
        assert not workers()


async def test_weights_that_are_missing_are_said_before_anything_starts(tmp_path: Path) -> None:
    async def prepare(model: str) -> Prepared:
        raise WeightsMissing(model=model)

    async with pool_of(tmp_path, prepare) as pool:
        with pytest.raises(WeightsMissing):
            await say_hello(pool)
        assert pool.waiting == 0


async def test_a_broken_file_is_told_to_everyone_who_waited_in_the_engines_own_words(
    tmp_path: Path,
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(200))

    async def prepare(_: str) -> Prepared:
        return prepared(broken)

    async with pool_of(tmp_path, prepare) as pool:
        answers = await asyncio.gather(say_hello(pool), say_hello(pool), return_exceptions=True)
        assert all(isinstance(answer, WorkerFailed) for answer in answers)
        assert "Failed to init server" not in str(answers[0])
        assert pool.counters.failures == {"smollm2": 1}


async def test_a_worker_killed_in_use_fails_its_request_and_the_next_gets_a_new_one(
    smollm2: Path, tmp_path: Path
) -> None:
    async def prepare(_: str) -> Prepared:
        return prepared(smollm2)

    async with pool_of(tmp_path, prepare) as pool:
        with pytest.raises(WorkerFailed):
            async with pool.lease("smollm2") as lease:
                assert isinstance(lease.engine, Chats)
                long = ChatRequest(HELLO.messages, max_output_tokens=400, temperature=0.0)
                async with aclosing(lease.engine.chat(long)) as deltas:
                    async for delta in deltas:
                        if delta.text:
                            for worker in workers():  # none any more at the next delta
                                os.kill(worker.pid, signal.SIGKILL)
        assert await say_hello(pool)
        assert pool.counters.loads == {"smollm2": 2}


async def test_who_gives_up_while_it_loads_leaves_no_ticket_and_no_second_load(
    smollm2: Path, tmp_path: Path
) -> None:
    async def prepare(_: str) -> Prepared:
        return prepared(smollm2)

    async with pool_of(tmp_path, prepare) as pool:
        impatient = asyncio.create_task(say_hello(pool))
        patient = asyncio.create_task(say_hello(pool))
        while not workers():
            await asyncio.sleep(0)
        impatient.cancel()
        assert await patient
        with pytest.raises(asyncio.CancelledError):
            await impatient
        assert pool.waiting == 0
        assert pool.counters.loads == {"smollm2": 1}


async def test_an_idle_on_demand_model_is_seen_gone(smollm2: Path, tmp_path: Path) -> None:
    async def prepare(_: str) -> Prepared:
        return prepared(smollm2, idle_s=0.2)

    limits = Limits(keep_while_fits=False)
    async with pool_of(tmp_path, prepare, limits=limits) as pool:
        await say_hello(pool)
        (worker,) = workers()
        await asyncio.to_thread(worker.wait, 30)
        while await pool.views():
            await asyncio.sleep(0.01)
        assert pool.counters.stops == {("smollm2", "idle"): 1}


async def test_a_closing_pool_refuses_who_comes_late(smollm2: Path, tmp_path: Path) -> None:
    async def prepare(_: str) -> Prepared:
        return prepared(smollm2)

    async with pool_of(tmp_path, prepare) as pool:
        await say_hello(pool)
        await pool.close()
        with pytest.raises(Stopping):
            await say_hello(pool)


async def test_closing_ends_a_model_that_is_still_starting(smollm2: Path, tmp_path: Path) -> None:
    async def prepare(_: str) -> Prepared:
        return prepared(smollm2)

    async with pool_of(tmp_path, prepare) as pool:
        waiting = asyncio.create_task(say_hello(pool))
        while not workers():
            await asyncio.sleep(0)
        await pool.close()
        with pytest.raises(Stopping):
            await waiting


async def test_a_death_in_use_leaves_every_other_asker_with_an_answer(
    smollm2: Path, tmp_path: Path
) -> None:
    """Whoever is next in line meets a worker that is being buried, and gets a new one."""

    async def prepare(_: str) -> Prepared:
        return prepared(smollm2)

    async def ask_once(pool: Pool) -> str:
        try:
            return await say_hello(pool)
        except WorkerFailed as error:
            assert str(error.facts["log"]).endswith("smollm2.log")
            return "told"

    async with pool_of(tmp_path, prepare) as pool:
        await say_hello(pool)
        asking = [asyncio.create_task(ask_once(pool)) for _ in range(4)]
        while not any(view.leases for view in await pool.views()):
            await asyncio.sleep(0)
        for worker in workers():
            os.kill(worker.pid, signal.SIGKILL)
        assert all(await asyncio.gather(*asking))


async def test_idle_time_begins_with_the_last_use(smollm2: Path, tmp_path: Path) -> None:
    async def prepare(_: str) -> Prepared:
        return prepared(smollm2, idle_s=60)

    async with pool_of(tmp_path, prepare) as pool:
        await say_hello(pool)
        (before,) = await pool.views()
        while (await pool.views())[0].idle_s < before.idle_s + 0.2:
            await asyncio.sleep(0.01)
        await say_hello(pool)
        (after,) = await pool.views()
        assert after.idle_s < before.idle_s + 0.2


async def test_what_is_started_is_what_was_promised_though_plans_differ(
    smollm2: Path, tmp_path: Path
) -> None:
    """Two ask for a cold model, and between them the plan has changed."""
    plans = iter([prepared(smollm2), prepared(smollm2, need_mib=900)])

    async def prepare(_: str) -> Prepared:
        return next(plans)

    async def what_it_has(pool: Pool) -> tuple[int, int]:
        async with pool.lease("smollm2") as lease:
            (view,) = await pool.views()
            return view.need_bytes, lease.prepared.need_bytes

    async with pool_of(tmp_path, prepare) as pool:
        for promised, started in await asyncio.gather(what_it_has(pool), what_it_has(pool)):
            assert promised == started


async def test_it_can_be_looked_at_while_a_model_ends_and_is_planned_elsewhere(
    smollm2: Path, tmp_path: Path
) -> None:
    here = prepared(smollm2)
    elsewhere = replace(here, need={**here.need, "gpu0": Footprint(weights_bytes=MIB)})
    plans = iter([here, elsewhere])

    async def prepare(_: str) -> Prepared:
        return next(plans)

    async with pool_of(tmp_path, prepare) as pool:
        assert await say_hello(pool)
        unloading = asyncio.create_task(pool.unload("smollm2"))
        asking = asyncio.create_task(say_hello(pool))
        while not asking.done():
            assert all(CPU in view.planned for view in await pool.views())
        await unloading
        with pytest.raises(NoRoomOnCard):
            await asking


async def test_the_reason_of_a_death_during_the_start_is_told_as_it_was_and_again_while_it_rests(
    smollm2: Path, tmp_path: Path
) -> None:
    """Not as what a broken connection looks like from our end."""

    async def prepare(_: str) -> Prepared:
        return prepared(smollm2)

    async with pool_of(tmp_path, prepare) as pool:
        waiting = asyncio.create_task(say_hello(pool))
        while not workers():
            await asyncio.sleep(0)
        for worker in workers():
            os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(WorkerFailed) as told:
            await waiting
        assert told.value.facts["reason"] == "killed by SIGKILL"
        with pytest.raises(JustFailed) as again:
            await say_hello(pool)
        assert again.value.facts["reason"] == "killed by SIGKILL"
        assert pool.past[-1].why == "failed"
        async with pool.lease("smollm2", insists=True) as lease:
            assert isinstance(lease.engine, Chats)


async def test_two_that_do_not_fit_on_a_card_together_take_turns_there(
    smollm2: Path, tmp_path: Path
) -> None:
    """Real processes on an imagined card, of which each is said to hold 600 bytes."""

    pools: list[Pool] = []

    def cards() -> list[Card]:
        pids = [pid for pool in pools for pid in pool.pids()]
        free_bytes = 1000 - 600 * len(pids)
        device = Device(id="gpu0", kind="cuda", name="Any", total_bytes=1000, free_bytes=free_bytes)
        return [Card(device, "GPU-0", dict.fromkeys(pids, 600))]

    async def prepare(model: str) -> Prepared:
        one = prepared(smollm2, idle_s=300)
        role: Role = "secondary"
        return replace(
            one,
            manifest=replace(one.manifest, id=model, role=role),
            need={**one.need, "gpu0": Footprint(weights_bytes=600)},
        )

    async def hello(pool: Pool, model: str) -> int:
        async with pool.lease(model) as lease:
            assert isinstance(lease.engine, Chats)
            async with aclosing(lease.engine.chat(HELLO)) as deltas:
                assert [delta async for delta in deltas]
            return len(workers())

    pool = Pool(prepare, read_memory, tmp_path, cards=cards)
    pools.append(pool)
    try:
        asked = (hello(pool, model) for model in ("one", "two", "one", "three"))
        assert await asyncio.gather(*asked) == [1, 1, 1, 1]
        assert {view.device for view in await pool.views()} == {CPU}
        assert {device.id for device in pool.devices()} == {CPU, "gpu0"}
        assert {ended.why for ended in pool.past} == {"room"}
    finally:
        await pool.close()


async def test_everybody_who_asks_while_it_closes_is_told_so(smollm2: Path, tmp_path: Path) -> None:
    """Also who waits for a look at memory that takes its time."""

    async def prepare(_: str) -> Prepared:
        return prepared(smollm2)

    looks = threading.Semaphore(0)

    def memory() -> Memory:
        looks.acquire(timeout=0.3)
        return read_memory()

    async with pool_of(tmp_path, prepare, memory) as pool:
        asking = [asyncio.create_task(say_hello(pool)) for _ in range(3)]
        await asyncio.sleep(0)
        await pool.close()
        looks.release(3)
        told = await asyncio.gather(*asking, return_exceptions=True)
        assert all(isinstance(answer, Stopping) for answer in told), told

"""Another program takes memory: what can be missed yields at once, and the primary answers on."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

import pytest

from lumbre.core.backend import Chats, WorkerSettings
from lumbre.core.generation import ChatRequest
from lumbre.core.machine import CPU, Memory
from lumbre.core.messages import Message
from lumbre.core.model import Manifest, Role
from lumbre.core.plan import Footprint
from lumbre.hardware.usage import private_bytes, pss_bytes
from lumbre.pool.lease import Limits, Prepared
from lumbre.pool.pool import Pool

MIB = 2**20
MACHINE_BYTES = 1400 * MIB
"""Of an imagined machine on which only these processes run; what they hold is real."""
NEED_BYTES = 250 * MIB
HELLO = ChatRequest((Message("user", "Say hello."),), max_output_tokens=4, temperature=0.0)
_HOG = "import sys; kept = bytearray(b'x') * {}; print('ready', flush=True); sys.stdin.read()"

pytestmark = pytest.mark.anyio


@contextmanager
def another_program(taken_bytes: int) -> Iterator[int]:
    """A process that holds so much memory until the block ends."""
    hog = subprocess.Popen(
        [sys.executable, "-c", _HOG.format(taken_bytes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert hog.stdin
    assert hog.stdout
    try:
        assert hog.stdout.readline() == b"ready\n"
        yield hog.pid
    finally:
        hog.stdin.close()
        hog.wait(30)
        hog.stdout.close()


def prepared(weights: Path, model: str) -> Prepared:
    role: Role = "primary" if model == "primary" else "secondary"
    manifest = Manifest(
        id=model, family="smollm2", role=role, format="gguf",
        capabilities=("chat",), revision="1", path=weights.name,
    )  # fmt: skip
    return Prepared(
        manifest=manifest,
        files={"weights": weights},
        settings=WorkerSettings(context_tokens=512, load_mode="read"),
        need={CPU: Footprint(weights_bytes=NEED_BYTES)},
        idle_s=None if model == "primary" else 300.0,
    )


async def chat(pool: Pool, model: str) -> str:
    async with pool.lease(model) as lease:
        assert isinstance(lease.engine, Chats)
        async with aclosing(lease.engine.chat(HELLO)) as deltas:
            return "".join([delta.text async for delta in deltas])


async def test_what_can_be_missed_yields_and_the_primary_keeps_answering(
    smollm2: Path, tmp_path: Path
) -> None:
    others: list[int] = []

    async def prepare(model: str) -> Prepared:
        return prepared(smollm2, model)

    def memory() -> Memory:
        used_bytes = pool.held_bytes() + sum(map(private_bytes, others))
        return Memory(MACHINE_BYTES, MACHINE_BYTES - used_bytes)

    pool = Pool(prepare, memory, tmp_path, limits=Limits(reserve={CPU: 100 * MIB}))
    try:
        for model in ("primary", "second", "third"):
            assert await chat(pool, model)
        answering = asyncio.create_task(chat(pool, "primary"))
        with another_program(1000 * MIB) as pid:
            assert pss_bytes(pid) > 900 * MIB
            others.append(pid)
            while len(await pool.views()) > 1:
                await asyncio.sleep(0.01)
            assert await answering
            assert [view.model for view in await pool.views()] == ["primary"]
            assert {(ended.model, ended.why) for ended in pool.past} == {
                ("second", "pressure"),
                ("third", "pressure"),
            }
            assert await chat(pool, "primary")
        others.clear()
        assert await chat(pool, "second"), "there is room again"
    finally:
        await pool.close()


async def test_what_a_model_takes_while_it_loads_is_not_taken_for_another_programs(
    smollm2: Path, tmp_path: Path
) -> None:
    """It would be stopped for pressure that it makes itself, and loaded again, without end."""
    room_bytes = NEED_BYTES + 20 * MIB

    async def prepare(model: str) -> Prepared:
        return prepared(smollm2, model)

    def memory() -> Memory:
        return Memory(room_bytes, room_bytes - pool.held_bytes())

    async def look_all_the_time() -> None:
        while True:
            await pool.look()

    pool = Pool(prepare, memory, tmp_path, limits=Limits(reserve={CPU: 0}))
    looking = asyncio.create_task(look_all_the_time())
    try:
        assert await chat(pool, "only")
        assert pool.counters.loads == {"only": 1}
        assert not pool.past
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await pool.close()

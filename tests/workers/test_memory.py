"""What a worker was said to need is never less than what it then holds, nor much more."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from lumbre.core.backend import WorkerSettings
from lumbre.core.generation import ChatRequest
from lumbre.core.messages import Message
from lumbre.core.model import Manifest
from lumbre.formats.gguf import read_facts
from lumbre.planner.need import copied_bytes, need
from lumbre.pool.worker import Worker
from tests.workers.running import Running

MIB = 2**20
MOST_TOO_MUCH = 1.35


def resident_bytes(worker: Worker) -> int:
    """Of one worker alone: what others share with it counts in full, as if they were not there."""
    return int(psutil.Process(worker.pid).memory_info().rss)


async def fill(engine: Any, tokens: int) -> None:
    request = ChatRequest((Message("user", "word " * tokens),), 8, temperature=0.0)
    async with aclosing(engine.chat(request)) as deltas:
        async for _ in deltas:
            pass


@dataclass(frozen=True)
class Held:
    """Memory of a worker that has read a prompt."""

    resident_bytes: int
    private_bytes: int


def held(
    running: Running, manifest: Manifest, weights: Path, settings: WorkerSettings, tokens: int
) -> Held:
    async def story() -> Held:
        wishes = {name: getattr(settings, name) for name in settings.__dataclass_fields__}
        async with running(manifest, weights, **wishes) as (worker, engine):
            await fill(engine, tokens)
            return Held(resident_bytes(worker), worker.private_bytes())

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("settings", "prompt_tokens"),
    [
        (WorkerSettings(context_tokens=512), 450),
        (WorkerSettings(context_tokens=4096), 10),
        (WorkerSettings(context_tokens=300, kv_type="q8_0", slots=2), 200),
        (WorkerSettings(context_tokens=256, load_mode="read", extra_buffers=False), 10),
        (WorkerSettings(context_tokens=512, batch_tokens=512), 300),
    ],
    ids=["mapped", "long", "q8_0", "read", "large-batch"],
)
def test_a_small_model_holds_what_was_said(
    running: Running, chatter: Manifest, smollm2: Path, settings: WorkerSettings, prompt_tokens: int
) -> None:
    said = need(read_facts(smollm2), settings).total_bytes
    measured = held(running, chatter, smollm2, settings, prompt_tokens).resident_bytes
    assert measured <= said <= MOST_TOO_MUCH * measured


COPIED = WorkerSettings(context_tokens=256)
WITHOUT_COPY = WorkerSettings(context_tokens=256, extra_buffers=False)
READ = WorkerSettings(context_tokens=256, load_mode="read")


@pytest.fixture(scope="module")
def qwen_held(running: Running, chatter: Manifest, qwen: Path) -> dict[WorkerSettings, Held]:
    return {
        settings: held(running, chatter, qwen, settings, tokens=60)
        for settings in (COPIED, WITHOUT_COPY, READ)
    }


@pytest.mark.parametrize(
    "settings", [COPIED, WITHOUT_COPY, READ], ids=["copied", "without-copy", "read"]
)
def test_a_model_of_repacked_quants_holds_what_was_said(
    qwen_held: dict[WorkerSettings, Held], qwen: Path, settings: WorkerSettings
) -> None:
    said = need(read_facts(qwen), settings).total_bytes
    measured = qwen_held[settings].resident_bytes
    assert measured <= said <= MOST_TOO_MUCH * measured


def test_repacked_quants_stand_in_memory_twice_unless_extra_buffers_are_off(
    qwen_held: dict[WorkerSettings, Held], qwen: Path
) -> None:
    """A third of this model's bytes, and the engine's own forecast leaves them out."""
    said = copied_bytes(read_facts(qwen), COPIED)
    assert said == 625_508_352, "CPU_REPACK model buffer size = 596.53 MiB, by the engine's log"
    doubled = qwen_held[COPIED].private_bytes - qwen_held[WITHOUT_COPY].private_bytes
    assert doubled == pytest.approx(said, rel=0.03)


def test_workers_of_one_file_share_it_so_that_resident_sizes_must_not_be_added(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    async def story() -> None:
        async with (
            running(chatter, smollm2, context_tokens=256) as (one, _),
            running(chatter, smollm2, context_tokens=256) as (other, _),
        ):
            together = one.pss_bytes() + other.pss_bytes()
            added = resident_bytes(one) + resident_bytes(other)
            assert together < added - 0.9 * smollm2.stat().st_size

    asyncio.run(story())


def test_workers_that_read_the_file_share_nothing_of_it(
    running: Running, chatter: Manifest, smollm2: Path
) -> None:
    async def story() -> None:
        settings = {"context_tokens": 256, "load_mode": "read"}
        async with (
            running(chatter, smollm2, **settings) as (one, _),
            running(chatter, smollm2, **settings) as (other, _),
        ):
            for worker in (one, other):
                assert worker.private_bytes() > smollm2.stat().st_size

    asyncio.run(story())


def test_an_embedder_that_reads_a_text_in_one_batch_holds_what_was_said(
    running: Running, gguf_embedder: Manifest, smollm2: Path
) -> None:
    settings = WorkerSettings(context_tokens=512)

    async def story() -> int:
        async with running(gguf_embedder, smollm2, context_tokens=512) as (worker, engine):
            await engine.embed(["word " * 500])
            return resident_bytes(worker)

    said = need(read_facts(smollm2), settings, embeds=True).total_bytes
    measured = asyncio.run(story())
    assert measured <= said <= MOST_TOO_MUCH * measured

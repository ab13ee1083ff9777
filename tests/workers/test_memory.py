"""What a worker was said to need is never less than what it then holds, nor much more."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import memory_cells
import psutil
import pytest

from lumbre.core.backend import WorkerSettings
from lumbre.core.generation import ChatRequest
from lumbre.core.machine import CPU, Device, Host
from lumbre.core.messages import Message
from lumbre.core.model import Manifest
from lumbre.core.plan import Choice
from lumbre.engines.find import built_in
from lumbre.formats.gguf import read_facts
from lumbre.planner.estimate import Estimator, Here
from lumbre.planner.footprint import copied_bytes, formula
from lumbre.planner.oracle import Oracle
from lumbre.planner.records import Records
from lumbre.planner.wish import Wish
from lumbre.pool.worker import Worker
from lumbre.store import Store
from tests.workers.running import Running

MIB = 2**20
MOST_TOO_MUCH = 1.35
HOST = Host(
    name="here",
    devices=(Device(id=CPU, kind="cpu", name="", total_bytes=2**40, free_bytes=2**40),),
    cores=1,
    architecture="x86_64",
)


def alone_bytes(worker: Worker, weights: Path, *, is_mapped: bool = True) -> int:
    """Of one worker as if no other were there: what they would share with it counts in full."""
    return worker.beside_bytes({weights}) + (weights.stat().st_size if is_mapped else 0)


def resident_bytes(worker: Worker) -> int:
    """With everything it shares."""
    return int(psutil.Process(worker.pid).memory_info().rss)


async def fill(engine: Any, tokens: int) -> None:
    request = ChatRequest((Message("user", "word " * tokens),), 8, temperature=0.0)
    async with aclosing(engine.chat(request)) as deltas:
        async for _ in deltas:
            pass


@dataclass(frozen=True)
class Held:
    """Memory of a worker that has read a prompt."""

    total_bytes: int
    private_bytes: int


def held(
    running: Running, manifest: Manifest, weights: Path, settings: WorkerSettings, tokens: int
) -> Held:
    async def story() -> Held:
        wishes = {name: getattr(settings, name) for name in settings.__dataclass_fields__}
        async with running(manifest, weights, **wishes) as (worker, engine):
            await fill(engine, tokens)
            is_mapped = settings.load_mode == "mmap"
            total_bytes = alone_bytes(worker, weights, is_mapped=is_mapped)
            return Held(total_bytes, worker.private_bytes())

    return asyncio.run(story())


@dataclass(frozen=True)
class Measured:
    """One way of running a model, and what a worker then held beside its mapped file."""

    choice: Choice
    beside_bytes: int
    total_bytes: int


CELLS = [
    settings
    for settings in memory_cells.cells((2048,))
    # extra buffers change nothing for this quant: each is seen with half of the others
    if settings.extra_buffers == ((settings.slots == 1) == (settings.kv_type == "f16"))
]


@pytest.fixture(scope="module")
def measured(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Measured]:
    """Workers with every slot full, one after the other."""
    log = tmp_path_factory.mktemp("cells") / "worker.log"
    found = []
    for settings in CELLS:
        row = asyncio.run(memory_cells.measure(smollm2, replace(settings, prompt_threads=2), log))
        mapped_bytes = smollm2.stat().st_size if settings.load_mode == "mmap" else 0
        beside_bytes = row["full"]["beside_bytes"]
        found.append(Measured(choice_of(settings), beside_bytes, beside_bytes + mapped_bytes))
    return found


def choice_of(settings: WorkerSettings) -> Choice:
    return Choice(
        context_tokens=settings.context_tokens,
        slots=settings.slots,
        kv_type=settings.kv_type,
        load_mode=settings.load_mode,
        extra_buffers=settings.extra_buffers,
    )


@pytest.fixture
def estimate(smollm2: Path, tmp_path: Path) -> Iterator[Estimator]:
    store = Store(tmp_path / "lumbre.db")
    records = Records(store)
    with Oracle(records, built_in().build) as oracle:
        yield Estimator(records, oracle, {"s": Here(smollm2, "s", built_in().build)})
    store.close()


@pytest.mark.slow
def test_a_plan_never_says_less_than_is_held_with_every_slot_full(
    measured: list[Measured], estimate: Estimator, smollm2: Path
) -> None:
    """Within a tenth or 32 MiB, before anything was measured."""
    wish = Wish(id="s", role="primary", facts=read_facts(smollm2))
    for cell in measured:
        said = estimate(wish, cell.choice, HOST)[0][0].footprint.total_bytes
        assert cell.total_bytes <= said <= cell.total_bytes + max(cell.total_bytes // 10, 32 * MIB)


@pytest.mark.slow
def test_a_plan_that_has_seen_one_worker_knows_the_others(
    measured: list[Measured], estimate: Estimator, smollm2: Path
) -> None:
    """Within 3 % or 16 MiB, and still never less."""
    wish = Wish(id="s", role="primary", facts=read_facts(smollm2))
    for cell in measured:
        if cell.choice.slots == 1:
            estimate.learn(wish, cell.choice, HOST, {CPU: cell.beside_bytes}, is_full=True)
    for cell in measured:
        known = replace(cell.choice, extra_buffers=cell.choice.kv_type == "f16")
        (placement,), basis = estimate(wish, known, HOST)
        said = placement.footprint.total_bytes
        assert basis == "calibrated"
        assert (
            cell.total_bytes
            <= said
            <= cell.total_bytes + max(cell.total_bytes * 3 // 100, 16 * MIB)
        )


@pytest.mark.parametrize(
    ("settings", "prompt_tokens"),
    [
        (WorkerSettings(context_tokens=4096), 10),
        (WorkerSettings(context_tokens=300, kv_type="q8_0", slots=2), 200),
        (WorkerSettings(context_tokens=512, batch_tokens=512), 300),
    ],
    ids=["long", "q8_0", "large-batch"],
)
def test_a_small_model_holds_what_was_said(
    running: Running, chatter: Manifest, smollm2: Path, settings: WorkerSettings, prompt_tokens: int
) -> None:
    said = formula_bytes(smollm2, settings)
    measured = held(running, chatter, smollm2, settings, prompt_tokens).total_bytes
    assert measured <= said <= MOST_TOO_MUCH * measured


def formula_bytes(weights: Path, settings: WorkerSettings, *, embeds: bool = False) -> int:
    wish = Wish(
        id="s",
        role="primary",
        facts=read_facts(weights),
        batch_tokens=settings.batch_tokens,
        embeds=embeds,
    )
    return sum(p.footprint.total_bytes for p in formula(wish, choice_of(settings), HOST))


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
    said = formula_bytes(qwen, settings)
    measured = qwen_held[settings].total_bytes
    assert measured <= said <= MOST_TOO_MUCH * measured


def test_repacked_quants_stand_in_memory_twice_unless_extra_buffers_are_off(
    qwen_held: dict[WorkerSettings, Held], qwen: Path
) -> None:
    """A third of this model's bytes, and the engine's own forecast leaves them out."""
    said = copied_bytes(read_facts(qwen), choice_of(COPIED), "x86_64")
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
            return alone_bytes(worker, smollm2)

    said = formula_bytes(smollm2, settings, embeds=True)
    measured = asyncio.run(story())
    assert measured <= said <= MOST_TOO_MUCH * measured

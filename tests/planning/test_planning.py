"""A plan is made of manifests, settings and machine as they are, and is then kept to."""

import asyncio
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from lumbre.config.load import Config, load
from lumbre.core.errors import DoesNotFit, UnknownModel, WeightsMissing
from lumbre.core.generation import ChatRequest
from lumbre.core.machine import CPU, Device, Host
from lumbre.core.messages import Message
from lumbre.core.model import Manifest
from lumbre.core.plan import Plan
from lumbre.planning import Context, Planning, plan_household, planning_for
from lumbre.registry.add import manifest_from_file
from lumbre.registry.manifest import save_manifest
from lumbre.runtime import Runtime
from lumbre.store import Store

GIB = 2**30
MIB = 2**20


def machine(free_bytes: int = 16 * GIB, *, is_described: bool = False) -> Host:
    cpu = Device(id=CPU, kind="cpu", name="cpu", total_bytes=32 * GIB, free_bytes=free_bytes)
    return Host(name="m", devices=(cpu,), cores=2, architecture="x86_64", is_described=is_described)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = load({"LUMBRE_HOME": str(tmp_path / "home"), "LUMBRE_WORKER__PROMPT_THREADS": "1"})
    config.folders.make()
    return config


@pytest.fixture
def small(config: Config, smollm2: Path) -> Manifest:
    """A primary on real weights, in the registry of a home."""
    weights = config.folders.weights / smollm2.name
    shutil.copyfile(smollm2, weights)
    manifest = manifest_from_file(weights, "primary", model_id="small")
    save_manifest(manifest, config.folders.registry / "small.yaml")
    return manifest


def plan(
    config: Config, host: Host, models: list[str] | None = None, context: Context = None
) -> Plan:
    return plan_household(config, host=host, models=models, context=context)


@pytest.mark.usefixtures("small")
def test_what_is_here_is_asked_of_the_engine_and_planned(config: Config) -> None:
    (planned,) = plan(config, machine()).models
    assert (planned.id, planned.basis, planned.residency) == ("small", "oracle", "resident")
    assert planned.choice.context_tokens == 4096
    assert 150 * MIB < planned.total_bytes < 350 * MIB


@pytest.mark.usefixtures("small")
def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    config = load({"LUMBRE_HOME": str(tmp_path / "nowhere")})
    assert plan(config, machine()).models == ()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.usefixtures("small")
def test_what_a_person_has_set_is_not_chosen_otherwise(config: Config) -> None:
    """A default leaves the plan its freedom; the same value written down does not."""
    fixed = load({"LUMBRE_HOME": str(config.folders.home), "LUMBRE_WORKER__KV_TYPE": "f16"})
    for settings, allowed in ((config, ("f16", "q8_0")), (fixed, ("f16",))):
        with planning_for(settings) as planning:
            (wish,) = planning.wanted(machine()).wishes
            assert wish.kv_types == allowed
    assert config.fingerprint != fixed.fingerprint


@pytest.mark.usefixtures("small")
def test_a_context_is_never_more_than_the_model_was_trained_for(config: Config) -> None:
    (planned,) = plan(config, machine(), context="max").models
    assert planned.choice.context_tokens == 8192
    (less,) = plan(config, machine(), context=1024).models
    assert less.choice.context_tokens == 1024


@pytest.mark.usefixtures("small")
def test_a_context_in_the_settings_that_is_cut_is_told(config: Config) -> None:
    home = str(config.folders.home)
    long = load({"LUMBRE_HOME": home, "LUMBRE_LLM__PRIMARY__CONTEXT_LENGTH": "100000"})
    (planned,) = plan(long, machine()).models
    assert planned.choice.context_tokens == 8192
    note = planned.notes[0]
    assert (note.key, note.facts) == (
        "plan.note.trained",
        {"tokens": 8192, "wished_tokens": 100000},
    )
    (asked,) = plan(long, machine(), context=1024).models
    (usual,) = plan(config, machine()).models
    assert not [n for one in (asked, usual) for n in one.notes if n.key == "plan.note.trained"]


def test_of_models_asked_for_by_name_one_is_primary_and_each_is_there_once(config: Config) -> None:
    names = ["bge-m3", "qwen3-8b", "llama-3.1-8b", "qwen3-8b-q4_k_m", "lfm2-1.2b"]
    made = plan(config, machine(30 * GIB), names)
    assert [(model.id, model.role) for model in made.models] == [
        ("bge-m3-q8_0", "embedding"),
        ("qwen3-8b-q4_k_m", "primary"),
        ("llama-3.1-8b-q4_k_m", "secondary"),
        ("lfm2-1.2b-q4_k_m", "lightweight"),
    ]
    assert made.residents_fit


@pytest.mark.usefixtures("small")
def test_a_machine_too_small_for_it_refuses_in_words(config: Config) -> None:
    made = plan(config, machine(700 * MIB))
    (refused,) = made.refused
    assert not made.fits
    assert not made.residents_fit
    assert "MB" in refused.reason


def test_the_settings_and_the_household_are_left_their_room(config: Config) -> None:
    with planning_for(config) as planning:
        limits = planning.limits(machine(4 * GIB))
        assert limits == {CPU: 4 * GIB - 512 * MIB - 120 * MIB}
        assert planning.limits(machine(4 * GIB), {CPU: GIB})[CPU] == limits[CPU] + GIB
        assert planning.limits(machine(100 * MIB))[CPU] == 0
    capped = load({"LUMBRE_HOME": str(config.folders.home), "LUMBRE_MEMORY__MAX_RAM_GB": "1"})
    with planning_for(capped) as planning:
        assert planning.limits(machine(4 * GIB))[CPU] == 10**9


def test_a_model_that_is_known_is_planned_without_its_weights(config: Config) -> None:
    (planned,) = plan(config, machine(), ["llama-3.1-8b-q4_k_m"]).models
    assert planned.basis == "formula"
    assert 4.9e9 < planned.total_bytes < 12e9


def test_a_name_nobody_knows_is_an_error(config: Config) -> None:
    with pytest.raises(UnknownModel):
        plan(config, machine(), ["gpt-99"])


def test_a_model_of_which_nothing_is_known_is_refused_with_the_next_step(
    config: Config, small: Manifest
) -> None:
    absent = replace(small, id="absent", path="absent.gguf", files=(), sources=())
    save_manifest(replace(absent, role="secondary"), config.folders.registry / "absent.yaml")
    made = plan(config, machine())
    assert [model.id for model in made.models] == ["small"]
    assert [refused.id for refused in made.refused] == ["absent"]
    assert "lumbre models pull absent" in made.refused[0].reason


def test_weights_that_are_not_what_they_seem_are_named(config: Config, small: Manifest) -> None:
    path = config.folders.weights / "broken.gguf"
    path.write_bytes(b"GGUF" + b"\xff" * 100)
    broken = replace(small, id="broken", role="secondary", path="broken.gguf", files=())
    save_manifest(broken, config.folders.registry / "broken.yaml")
    (refused,) = plan(config, machine()).refused
    assert refused.id == "broken"
    assert "broken.gguf" in refused.reason


@contextmanager
def running(config: Config, host: Callable[[], Host]) -> Iterator[Runtime]:
    store = Store(config.folders.database)
    runtime = Runtime(config, store, host)
    try:
        yield runtime
    finally:
        store.close()


async def say(runtime: Runtime, words: str = ".", tokens: int = 1) -> None:
    request = ChatRequest((Message("user", words),), max_output_tokens=tokens, temperature=0.0)
    async with aclosing(runtime.chat(request)) as deltas:
        async for _ in deltas:
            pass


@pytest.mark.usefixtures("small")
def test_a_model_is_loaded_as_planned_and_the_plan_learns_from_it(config: Config) -> None:
    short = load(
        {
            "LUMBRE_HOME": str(config.folders.home),
            "LUMBRE_LLM__PRIMARY__CONTEXT_LENGTH": "256",
            "LUMBRE_WORKER__PROMPT_THREADS": "1",
        }
    )

    async def story(runtime: Runtime) -> None:
        await say(runtime)
        await runtime.pool.measure("small", is_full=False)
        (view,) = await runtime.views()
        assert view.held_bytes <= view.need_bytes
        (first,) = calibrations(runtime.planning)
        assert not first[1]
        await say(runtime, "word " * 205)
        (full,) = calibrations(runtime.planning)
        assert full[1], "a full context says more than a load"
        await runtime.close()

    with running(short, machine) as runtime:
        asyncio.run(story(runtime))
    (planned,) = plan(short, machine()).models
    assert planned.basis == "calibrated"


def calibrations(planning: Planning) -> list[tuple[int, bool]]:
    with planning.records._store.reading() as connection:  # type: ignore[union-attr]
        rows = connection.execute("SELECT constant_bytes, is_full FROM calibrations")
        return [(constant, bool(is_full)) for constant, is_full in rows]


@pytest.mark.usefixtures("small")
def test_what_the_plan_refuses_is_refused_with_its_figures(config: Config) -> None:
    tight = load({"LUMBRE_HOME": str(config.folders.home), "LUMBRE_MEMORY__MAX_RAM_GB": "0.1"})

    async def story(runtime: Runtime) -> None:
        with pytest.raises(DoesNotFit) as refused:
            await say(runtime)
        assert int(str(refused.value.facts["need_bytes"])) > 100_000_000
        await runtime.close()

    with running(tight, machine) as runtime:
        asyncio.run(story(runtime))


@pytest.mark.usefixtures("small")
def test_weights_that_vanish_between_plan_and_load_are_said_to_be_missing(config: Config) -> None:
    assert plan(config, machine()).fits
    next(config.folders.weights.glob("*.gguf")).unlink()

    async def story(runtime: Runtime) -> None:
        with pytest.raises(WeightsMissing):
            await say(runtime)
        await runtime.close()

    with running(config, machine) as runtime:
        asyncio.run(story(runtime))


def test_short_memory_is_met_with_a_cheaper_way_to_load(config: Config, qwen: Path) -> None:
    """Mapped, this model's rewritten matrices stand beside the file; read, they stand alone."""
    manifest = Manifest(
        id="qwen", family="qwen2", role="primary", format="gguf", capabilities=("chat",),
        revision="1", path="qwen.gguf", quant="Q4_K_M", checksum_sha256="a" * 64,
        context_length=32768,
    )  # fmt: skip
    (config.folders.weights / "qwen.gguf").symlink_to(qwen)
    save_manifest(manifest, config.folders.registry / "qwen.yaml")
    (roomy,) = plan(config, machine(8 * GIB)).models
    (tight,) = plan(config, machine(GIB * 2)).models
    assert (roomy.choice.load_mode, tight.choice.load_mode) == ("mmap", "read")
    assert roomy.total_bytes - tight.total_bytes > 500 * MIB
    assert (tight.choice.context_tokens, tight.choice.kv_type) == (4096, "f16")


def test_a_primary_that_can_only_take_turns_does_not_stay_loaded(
    config: Config, small: Manifest
) -> None:
    """It is planned all the same, and said: the exit status is 3."""
    other = replace(small, id="other", role="secondary")
    save_manifest(other, config.folders.registry / "other.yaml")
    made = plan(config, machine((632 + 300) * MIB))
    assert {model.id for model in made.models} == {"small", "other"}
    assert all(model.slot for model in made.models)
    assert made.not_resident == ("small",)
    assert plan(config, machine((632 + 600) * MIB)).residents_fit


def test_a_model_whose_file_was_deleted_elsewhere_is_refused_by_its_name(
    config: Config, smollm2: Path, tmp_path: Path
) -> None:
    """Also where a known model has that id: nothing could be fetched to that place."""
    path = tmp_path / "mine.gguf"
    shutil.copyfile(smollm2, path)
    manifest = manifest_from_file(path, "primary", model_id="smollm2-135m")
    save_manifest(manifest, config.folders.registry / "mine.yaml")
    assert plan(config, machine()).fits
    path.unlink()
    (refused,) = plan(config, machine()).refused
    assert refused.reason.key == "planning.gone"
    assert refused.reason.facts == {"model": "smollm2-135m", "path": path}


def test_what_answers_short_questions_has_the_short_context(
    config: Config, small: Manifest
) -> None:
    """A router is asked a line at a time: it does not hold all the model was trained for."""
    router = replace(small, id="router", role="router", capabilities=("route",))
    save_manifest(router, config.folders.registry / "router.yaml")
    planned = plan(config, machine()).planned("router")
    assert planned is not None
    assert planned.choice.context_tokens == 4096


def test_limits_never_pass_what_the_machine_has(config: Config) -> None:
    with planning_for(config) as planning:
        assert planning.limits(machine(30 * GIB), {CPU: 90 * GIB})[CPU] < 32 * GIB


def test_of_cold_models_one_at_a_time_is_prepared_and_none_holds_a_common_thread(
    config: Config, small: Manifest
) -> None:
    """Else whoever looks after the workers would wait until all their files were checked."""
    names = [f"cold-{number}" for number in range(4)]
    for name in names:
        manifest = replace(small, id=name, role="secondary")
        save_manifest(manifest, config.folders.registry / f"{name}.yaml")
    inside, most = 0, 0
    is_slow, goes_on, guard = threading.Event(), threading.Event(), threading.Lock()

    def host() -> Host:
        nonlocal inside, most
        if is_slow.is_set():
            with guard:
                inside += 1
                most = max(most, inside)
            goes_on.wait()
            with guard:
                inside -= 1
        return machine()

    async def story(runtime: Runtime) -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
        is_slow.set()
        preparing = [asyncio.create_task(runtime._prepare(name)) for name in names]
        try:
            while not inside:
                await asyncio.sleep(0)
            async with asyncio.timeout(10):
                await asyncio.to_thread(int)
            preparing[0].cancel()
            with suppress(asyncio.CancelledError):
                await preparing[0]
        finally:
            goes_on.set()
            await asyncio.gather(*preparing[1:])
        await runtime.close()

    with running(config, host) as runtime:
        asyncio.run(story(runtime))
    assert most == 1

"""What a model asks of the pool follows from its role, its plan and its files."""

from dataclasses import replace
from pathlib import Path

import pytest

from lumbre.core.backend import WorkerSettings
from lumbre.core.machine import CPU
from lumbre.core.model import Manifest
from lumbre.core.plan import Footprint
from lumbre.pool.lease import Limits, Prepared
from lumbre.pool.policy.state import LLMS, THREADS
from lumbre.pool.terms import beginning, terms_of


def prepared(role: str, *, idle_s: float | None = 300.0, **more: object) -> Prepared:
    manifest = Manifest(
        id=f"a-{role}", family="any", role=role, format="gguf",  # type: ignore[arg-type]
        capabilities=("chat",), revision="1", path="any.gguf",
    )  # fmt: skip
    return Prepared(
        manifest=manifest,
        files={},
        settings=WorkerSettings(context_tokens=512, generation_threads=2),
        need={CPU: Footprint(weights_bytes=7), "gpu0": Footprint(kv_bytes=5)},
        idle_s=idle_s,
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("role", "idle_s", "standing"),
    [
        ("primary", None, "primary"),
        ("secondary", None, "eager"),
        ("secondary", 300.0, "on_demand"),
        ("optional_moe", 300.0, "on_demand"),
        ("embedding", None, "resident"),
        ("classifier", None, "resident"),
        ("router", None, "resident"),
    ],
)
def test_who_gives_way_first_follows_from_the_role(
    role: str, idle_s: float | None, standing: str
) -> None:
    assert terms_of(prepared(role, idle_s=idle_s), Limits()).standing == standing


def test_every_device_counts_and_a_chat_model_is_one_of_those_allowed_at_a_time() -> None:
    chat = terms_of(prepared("primary"), Limits())
    assert chat.need == {CPU: 7, "gpu0": 5, LLMS: 1}
    assert chat.work == {THREADS: 2, "gpu0": 1}
    assert LLMS not in terms_of(prepared("embedding"), Limits()).need


def test_a_model_that_runs_elsewhere_counts_only_if_the_person_says_so() -> None:
    here = prepared("secondary")
    remote = replace(here, manifest=replace(here.manifest, format="remote"))
    assert LLMS not in terms_of(remote, Limits()).need
    assert terms_of(remote, Limits(count_remote=True)).need[LLMS] == 1


def test_what_a_load_costs_is_expected_until_it_was_measured() -> None:
    assert terms_of(prepared("primary", load_s=4.0), Limits()).reload_s == 4.0
    assert terms_of(prepared("primary", load_s=4.0), Limits(), 1.5).reload_s == 1.5


def test_other_files_or_settings_are_another_chance(tmp_path: Path) -> None:
    file = tmp_path / "any.gguf"
    file.write_bytes(b"broken")
    first = replace(prepared("primary"), files={"weights": file})
    again = terms_of(first, Limits()).made_of
    assert terms_of(first, Limits()).made_of == again
    file.write_bytes(b"mended now")
    assert terms_of(first, Limits()).made_of != again
    other = replace(first, settings=WorkerSettings(context_tokens=256))
    assert terms_of(other, Limits()).made_of != terms_of(first, Limits()).made_of


def test_limits_that_are_not_set_limit_nothing() -> None:
    state = beginning(Limits(), [CPU, "gpu0"])
    assert (dict(state.caps), dict(state.work_caps)) == ({}, {})
    limits = Limits(max_concurrent_llms=2, threads=4, card_permits=1, reserve={CPU: 2**30})
    state = beginning(limits, [CPU, "gpu0"])
    assert state.caps == {LLMS: 2}
    assert state.work_caps == {THREADS: 4, "gpu0": 1}
    assert state.slack[CPU] == 2**29, "half of the reserve is there to be used"
    assert state.slack["gpu0"] > 0, "or what a plan is off by loads and stops a model in turns"

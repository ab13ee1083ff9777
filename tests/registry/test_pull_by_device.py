"""`models pull gpu1` fetches the models whose layers the plan puts on that card, and no other."""

import pytest

from lumbre.cli.pulling import is_device, planned_on
from lumbre.core.machine import Device, Host
from lumbre.core.plan import Choice, Footprint, Placement, Plan, Planned
from tests.conftest import Run

HOST = Host(
    name="a machine",
    devices=(
        Device(id="cpu", kind="cpu", name="", total_bytes=1, free_bytes=1),
        Device(id="gpu0", kind="cuda", name="", total_bytes=1, free_bytes=1),
        Device(id="gpu1", kind="cuda", name="", total_bytes=1, free_bytes=1),
    ),
    cores=1,
    architecture="x86_64",
)


def planned(model: str, **layers: int) -> Planned:
    """A model with these layers on cards; a process of it is in main memory always."""
    some = Footprint(weights_bytes=1)
    return Planned(
        id=model,
        role="secondary",
        choice=Choice(context_tokens=512, layers=tuple(layers.items())),
        placements=(
            Placement("cpu", 0, some),
            *(Placement(card, count, some) for card, count in layers.items()),
        ),
        residency="resident",
        basis="formula",
    )


def test_a_device_has_the_models_whose_layers_lie_on_it() -> None:
    plan = Plan(
        host=HOST,
        models=(planned("small"), planned("one", gpu0=9), planned("both", gpu0=9, gpu1=5)),
    )
    assert planned_on(plan, "gpu0") == ["one", "both"]
    assert planned_on(plan, "gpu1") == ["both"]
    assert planned_on(plan, "cpu") == ["small"]


@pytest.mark.parametrize(
    ("word", "is_one"),
    [("cpu", True), ("gpu0", True), ("gpu12", True), ("gpu", False), ("all", False), ("", False)],
)
def test_a_device_is_called_as_plans_call_it(word: str, is_one: bool) -> None:
    assert is_device(word) == is_one


def test_a_card_that_is_not_there_is_named_with_what_is(lumbre: Run) -> None:
    done = lumbre("models", "pull", "gpu77", "--lang", "es")
    assert done.returncode == 2
    assert "gpu77" in done.stderr
    assert "cpu" in done.stderr


def test_the_processor_has_the_models_without_a_card(lumbre: Run, tmp_path: object) -> None:
    done = lumbre("models", "pull", "cpu", LUMBRE_MODELS=str(tmp_path), CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 2
    assert "qwen2.5-coder-1.5b-instruct-q4_k_m: " in done.stdout
    assert "--yes" in done.stderr

"""A plan's placement reaches the worker as it is, and a worker sees the cards of its plan only."""

from dataclasses import replace
from pathlib import Path

import pytest

from lumbre.backends import find
from lumbre.core.backend import Launch, WorkerSettings
from lumbre.core.model import Manifest

FILES = {"weights": Path("/w/m.gguf"), "projector": Path("/w/p.gguf"), "adapter": Path("/w/a.gguf")}
PLACED = WorkerSettings(
    context_tokens=4096, gpu_layers=20, devices=("gpu1", "gpu0"), tensor_split=(12, 8),
    expert_layers_on_cpu=3, engine_path="/engines/cuda",
)  # fmt: skip


def launch(engine: str, settings: WorkerSettings = PLACED) -> Launch:
    manifest = Manifest(
        id="m", family="f", role="primary", format="gguf", capabilities=("chat",), revision="1",
        path="m.gguf", adapter=engine,
    )  # fmt: skip
    return find(manifest.engine).launch(manifest, FILES, settings, "key")


@pytest.mark.parametrize("engine", ["llama_cpp", "llama_server"])
def test_the_orders_name_every_part_of_the_placement(engine: str) -> None:
    told = launch(engine).settings
    assert told["gpu_layers"] == 20
    assert told["devices"] == ["gpu1", "gpu0"]
    assert told["tensor_split"] == [12, 8]
    assert told["expert_layers_on_cpu"] == 3
    assert told["engine_path"] == "/engines/cuda"
    assert told["projector"] == "/w/p.gguf"
    assert told["adapters"] == ["/w/a.gguf"]


def test_both_engines_get_the_same_orders_in_a_worker_of_their_own() -> None:
    built_in, program = launch("llama_cpp"), launch("llama_server")
    assert built_in.settings == program.settings
    assert built_in.environment == program.environment
    assert (built_in.module, program.module) == (
        "lumbre.workers.llama",
        "lumbre.workers.llama_server",
    )


def test_cards_are_counted_as_the_plan_counts_them_and_in_its_order() -> None:
    environment = launch("llama_server").environment
    assert environment["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert environment["CUDA_VISIBLE_DEVICES"] == "1,0"
    assert environment["HIP_VISIBLE_DEVICES"] == "1,0"
    assert environment["GGML_VK_VISIBLE_DEVICES"] == "1,0"


def test_a_model_in_main_memory_sees_no_card() -> None:
    environment = launch("llama_cpp", WorkerSettings(context_tokens=256)).environment
    assert environment["CUDA_VISIBLE_DEVICES"] == ""
    assert environment["HIP_VISIBLE_DEVICES"] == ""
    assert environment["GGML_VK_VISIBLE_DEVICES"] == ""


def test_a_card_is_named_by_its_uuid_where_that_is_known() -> None:
    """The plan counts only the cards it may use: its gpu0 may be the machine's second."""
    named = replace(PLACED, devices=("gpu0",), tensor_split=(20,), card_uuids=("GPU-2f",))
    environment = launch("llama_cpp", named).environment
    assert environment["CUDA_VISIBLE_DEVICES"] == environment["HIP_VISIBLE_DEVICES"] == "GPU-2f"
    assert environment["GGML_VK_VISIBLE_DEVICES"] == "0"

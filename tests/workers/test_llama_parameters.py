"""A placement reaches the built-in engine's parameters whole, as far as a build for CPUs tells."""

from pathlib import Path
from typing import Any

import xllamacpp as x

from lumbre.backends import llama_cpp
from lumbre.core.backend import WorkerSettings
from lumbre.core.model import Manifest
from lumbre.workers.llama import parameters


def of(**settings: Any) -> Any:
    manifest = Manifest(
        id="m", family="f", role="primary", format="gguf", capabilities=(), revision="1", path="m"
    )
    files = {"weights": Path("/w/m.gguf"), "projector": Path("/w/p.gguf")}
    wish = WorkerSettings(**{"context_tokens": 512, **settings})
    return parameters(llama_cpp.orders(manifest, files, wish, "key"))


def test_layers_of_each_card_and_experts_in_main_memory_are_set() -> None:
    p = of(
        devices=("gpu0", "gpu1"), gpu_layers=33, tensor_split=(20, 13), expert_layers_on_cpu=2,
        kv_type="q8_0",
    )  # fmt: skip
    assert p.n_gpu_layers == 33
    assert p.tensor_split[:3] == [20.0, 13.0, 0.0]
    assert p.split_mode == x.llama_split_mode.LLAMA_SPLIT_MODE_LAYER
    assert p.main_gpu == 0
    patterns = p.tensor_buft_overrides.split(",")
    assert [pattern.split(r"\.ffn")[0] for pattern in patterns] == [r"blk\.0", r"blk\.1"]
    assert all(pattern.endswith("exps=CPU") for pattern in patterns)
    assert p.cache_type_k == p.cache_type_v == x.ggml_type.GGML_TYPE_Q8_0
    assert p.mmproj.path == "/w/p.gguf"
    assert p.mmproj_use_gpu is True
    assert p.fit_params is False


def test_without_cards_nothing_is_left_to_the_engine() -> None:
    """Its own default puts as many layers on a card as there is room for."""
    p = of()
    assert p.n_gpu_layers == 0
    assert p.tensor_split[0] == 0.0
    assert p.tensor_buft_overrides == ""
    assert p.mmproj_use_gpu is False

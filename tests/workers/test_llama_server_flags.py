"""A placement becomes the same arguments every time, and each release is told what it knows."""

import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.backends import llama_cpp
from lumbre.core.backend import WorkerSettings
from lumbre.core.model import Manifest
from lumbre.workers.flags import FlagMissing, flags, known_flags
from lumbre.workers.llama_server import cards
from lumbre.workers.placement import experts_on_cpu, split

ALWAYS = [
    "--model", "/w/m.gguf", "--host", "127.0.0.1", "--port", "0", "--api-key-file", "/dev/fd/9",
]  # fmt: skip
QUIET = [
    "--fit", "off", "--no-context-shift", "--offline", "--no-warmup", "--no-ui",
    "--cors-origins", "",
    "--slots", "--verbosity", "2",
]  # fmt: skip


def orders(role: str = "primary", parts: tuple[str, ...] = (), **settings: Any) -> dict[str, Any]:
    manifest = Manifest(
        id="m", family="f", role=role, format="gguf", capabilities=(), revision="1", path="m.gguf",  # type: ignore[arg-type]
    )  # fmt: skip
    files = {"weights": Path("/w/m.gguf")} | {part: Path(f"/w/{part}.gguf") for part in parts}
    wish = WorkerSettings(**{"context_tokens": 4096, **settings})
    return dict(llama_cpp.orders(manifest, files, wish, "the key"))


def line(told: dict[str, Any], **more: Any) -> list[str]:
    return flags(told, key_path="/dev/fd/9", **more)


def test_a_model_in_main_memory() -> None:
    assert line(orders(prompt_threads=4, generation_threads=2)) == [
        *ALWAYS,
        *("--ctx-size", "4096", "--parallel", "1", "--batch-size", "64", "--ubatch-size", "64"),
        *("--threads", "2", "--threads-batch", "4"),
        *("--cache-type-k", "f16", "--cache-type-v", "f16", "--jinja", "--kv-unified"),
        *("--cache-ram", "0", "--ctx-checkpoints", "2", *QUIET),
        *("--no-cache-idle-slots", "--load-mode", "mmap"),
        *("--device", "none", "--n-gpu-layers", "0"),
    ]


def test_a_model_on_two_cards_with_experts_in_main_memory() -> None:
    told = orders(
        devices=("gpu1", "gpu0"), gpu_layers=33, tensor_split=(20, 13), expert_layers_on_cpu=7,
        kv_type="q8_0", slots=4, load_mode="read", extra_buffers=False, cache_ram_mib=256,
        batch_tokens=512,
    )  # fmt: skip
    assert line(told, cards=("CUDA0", "CUDA1")) == [
        *ALWAYS,
        *("--ctx-size", "4096", "--parallel", "4", "--batch-size", "512", "--ubatch-size", "512"),
        *("--threads", "1", "--threads-batch", "1"),
        *("--cache-type-k", "q8_0", "--cache-type-v", "q8_0", "--jinja", "--kv-unified"),
        *("--cache-ram", "256", "--ctx-checkpoints", "2", *QUIET),
        *("--load-mode", "none", "--no-repack"),
        *("--device", "CUDA0,CUDA1", "--n-gpu-layers", "33", "--split-mode", "layer"),
        *("--main-gpu", "0", "--tensor-split", "20,13", "--n-cpu-moe", "7"),
    ]


def test_one_card_needs_no_split() -> None:
    told = line(orders(devices=("gpu0",), gpu_layers=5, tensor_split=(5,)), cards=("Vulkan0",))
    assert told[-8:] == [
        *("--device", "Vulkan0", "--n-gpu-layers", "5"),
        *("--split-mode", "layer", "--main-gpu", "0"),
    ]


def test_eyes_and_an_adapter_come_along() -> None:
    told = line(orders(parts=("projector", "adapter")))
    assert told[-5:] == [
        *("--mmproj", "/w/projector.gguf", "--no-mmproj-offload"),
        *("--lora-scaled", "/w/adapter.gguf:0.0"),
    ]


def test_an_embedder_reads_a_text_in_one_batch_and_takes_the_mean() -> None:
    told = line(orders(role="embedding"))
    assert told[-3:] == ["--embedding", "--pooling", "mean"]
    assert told[told.index("--ubatch-size") + 1] == "4096"


def test_the_key_is_not_among_the_arguments() -> None:
    assert "the key" not in line(orders())


def test_an_older_release_is_told_the_same_in_its_own_words() -> None:
    """Names of b6000, summer 2025, which had neither --load-mode nor --fit nor --no-ui."""
    newer = {"--load-mode", "--fit", "--no-ui", "--cache-ram", "--no-cache-idle-slots",
             "--n-cpu-moe", "--kv-unified"}  # fmt: skip
    told = orders(
        devices=("gpu0",), gpu_layers=9, expert_layers_on_cpu=2, load_mode="read",
    )  # fmt: skip
    every = {flag for flag in line(told, cards=("CUDA0",)) if flag.startswith("--")}
    older = line(
        told,
        cards=("CUDA0",),
        known=every - newer | {"--no-mmap", "--no-webui", "--override-tensor"},
    )
    assert not newer & set(older)
    assert "--no-mmap" in older
    assert "--no-webui" in older
    assert ("--override-tensor", experts_on_cpu(2)) in pairwise(older)


def test_a_release_that_cannot_be_told_something_is_not_started() -> None:
    with pytest.raises(FlagMissing, match="--api-key-file"):
        line(orders(), known={"--model", "--host", "--port"})


def test_the_experts_of_the_first_layers_are_named_as_llama_cpp_names_them() -> None:
    import re

    first, second = experts_on_cpu(2).split(",")
    pattern, memory = second.split("=")
    assert memory == "CPU"
    for name in ("up", "down", "gate", "gate_up"):
        assert re.search(pattern, f"blk.1.ffn_{name}_exps.weight")
    assert not re.search(pattern, "blk.11.ffn_up_exps.weight")
    assert not re.search(pattern, "blk.1.ffn_up.weight")
    assert re.search(first.split("=")[0], "blk.0.ffn_down_chexps.weight")
    assert experts_on_cpu(0) == ""


@given(st.lists(st.integers(0, 90), min_size=1, max_size=8).filter(any))
def test_each_card_gets_as_many_layers_as_it_was_to_get(layers: list[int]) -> None:
    """By the rule of llama.cpp: the first card whose share of the sum lies above i/n."""
    shares, so_far = [], 0.0
    for part in split(layers):
        so_far += part
        shares.append(so_far)
    shares = [share / so_far for share in shares]
    count = sum(layers)
    cards_of = [next(c for c, s in enumerate(shares) if s > i / count) for i in range(count)]
    assert [cards_of.count(card) for card in range(len(layers))] == layers


def test_flags_are_read_from_the_help_and_not_from_its_explanations() -> None:
    told = (
        "----- common params -----\n"
        "-t,    --threads N                      as --threads-batch, but for one\n"
        "-kvu,  --kv-unified, -no-kvu, --no-kv-unified\n"
        "                                        enabled with --parallel\n"
        "--spec-type none,draft-simple           which\n"
    )
    assert known_flags(told) == {
        "-t", "--threads", "-kvu", "--kv-unified", "-no-kvu", "--no-kv-unified", "--spec-type",
    }  # fmt: skip


def test_cards_are_read_from_the_list_of_devices() -> None:
    told = (
        "Available devices:\n"
        "  CUDA0: NVIDIA GeForce RTX 4090 (24080 MiB, 23700 MiB free)\n"
        "  CUDA1: NVIDIA RTX 2060: mobile (6144 MiB, 6000 MiB free)\n"
        "  BLAS: OpenBLAS (0 MiB, 0 MiB free)\n"
        "  RPC0: 10.0.0.2:50052 (1 MiB, 1 MiB free)\n"
    )
    assert cards(told) == ("CUDA0", "CUDA1")
    assert cards("Available devices:\n  (none)\n") == ()


def test_the_release_at_hand_knows_every_flag_it_is_told(llama_server: str) -> None:
    told = subprocess.run([llama_server, "--help"], capture_output=True, text=True, check=True)
    known = known_flags(told.stdout)
    wishes: tuple[dict[str, Any], ...] = ({}, {"load_mode": "read", "extra_buffers": False})
    for settings in wishes:
        said = line(orders(parts=("adapter", "projector"), **settings), known=known)
        assert {flag for flag in said if flag.startswith("--")} <= known
        assert said == line(orders(parts=("adapter", "projector"), **settings))

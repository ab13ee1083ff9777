"""What is known of a model by its numbers is what its file says, to the byte."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lumbre.core.model import CHAT_ROLES, Facts
from lumbre.formats.gguf import Header, facts_of, read_facts
from lumbre.formats.gguf_reader import Array, Value
from lumbre.registry.known import KnownModel, find_known, known_models, nearest_known
from lumbre.registry.known.mix import QUANTS, tensors_of
from lumbre.registry.known.shape import Shape

REFERENCE = [
    "solar-10.7b-q4_k_m", "lfm2-1.2b-q4_k_m", "qwen2.5-omni-7b-q4_k_m", "embeddinggemma-300m-q8_0",
    "gpt-oss-20b-mxfp4", "gpt-oss-20b-q4_k_m", "phi-3.5-mini-q4_k_m", "bge-m3-q8_0", "gte-small",
    "faster-whisper-small", "silero-vad", "piper-ru-irina", "rubert-tiny2-emotion",
    "llama-3.3-70b-q4_k_m", "qwen2.5-32b-q4_k_m", "deepseek-r1-distill-qwen-14b-q4_k_m",
    "llama-3.1-8b-q4_k_m", "faster-whisper-large-v3-turbo",
]  # fmt: skip
PUBLISHED_GB = {
    "llama-3.3-70b-q8_0": 74.98, "llama-3.3-70b-q6_k": 57.89, "llama-3.3-70b-q5_k_m": 49.95,
    "llama-3.3-70b-q3_k_m": 34.27, "qwen3-32b-q4_k_m": 19.8, "qwen3-32b-q8_0": 34.8,
    "solar-10.7b-q4_k_m": 6.46, "qwen2.5-omni-7b-q4_k_m": 4.68,
    "bge-m3-f16": 1.16, "bge-m3-q4_k_m": 0.438, "deepseek-r1-distill-qwen-14b-q4_k_m": 8.99,
}  # fmt: skip
"""Rounded sizes on the pages of repositories; none of them went into the table."""
GGUF = [model for model in known_models() if model.shape]


def known(name: str) -> KnownModel:
    found = find_known(name)
    assert found is not None, name
    return found


def facts(name: str) -> Facts:
    found = known(name).facts
    assert found is not None, name
    return found


@pytest.mark.parametrize("name", REFERENCE)
def test_the_models_of_the_reference_households_are_known(name: str) -> None:
    assert known(name).id == name
    assert known(name).file_bytes > 0


def test_a_model_is_found_by_the_names_people_use() -> None:
    seventy = known("llama-3.3-70b-q4_k_m")
    for name in (
        "llama-3.3-70b",
        "Llama-3.3-70B-Instruct",
        "Llama-3.3-70B-Instruct-Q4_K_M.gguf",
        "llama3.3:70b",
    ):
        assert find_known(name) is seventy
    assert known("gpt-oss").quant == "MXFP4"
    assert known("qwen2.5-coder-1.5b-instruct-q4_k_m").base == "qwen2.5-coder-1.5b"
    assert find_known("llama-5-1000b") is None
    assert find_known("") is None


def test_an_address_is_a_repository_that_the_table_names() -> None:
    for model in known_models():
        if model.address:
            assert model.address.removeprefix("hf:") in model.files
            assert re.fullmatch(r"hf:[\w-]+/[\w.-]+", model.address)
        else:
            assert not (model.usual and model.files.endswith("-GGUF")), model.id


def test_each_quant_has_the_address_where_it_is() -> None:
    assert known("gpt-oss-20b-mxfp4").address == "hf:ggml-org/gpt-oss-20b-GGUF"
    assert known("gpt-oss-20b-q4_k_m").address == "hf:unsloth/gpt-oss-20b-GGUF"
    assert known("bge-m3-q8_0").address == "hf:ggml-org/bge-m3-Q8_0-GGUF"
    assert known("bge-m3-f16").address == ""
    assert known("gte-small").address == ""


def test_a_name_that_is_nearly_right_is_guessed() -> None:
    assert nearest_known("lama-3.1-8b")[0] == "llama-3.1-8b"
    assert nearest_known("zzzz") == []


def test_no_two_models_have_a_name_in_common() -> None:
    ids = [model.id for model in known_models()]
    assert len(ids) == len(set(ids))
    bases = {model.base: model for model in known_models()}
    names = [name for model in bases.values() for name in {model.base, *model.aliases}]
    assert len(names) == len(set(names))
    assert all(sum(m.usual for m in known_models() if m.base == base) == 1 for base in bases)


@pytest.mark.parametrize("model", known_models(), ids=lambda model: model.id)
def test_every_row_says_where_it_is_from_and_what_it_may_be_used_for(model: KnownModel) -> None:
    assert model.licence
    assert re.search(r"\w/\w|arithmetic", model.numbers)
    assert model.files
    assert model.file_bytes > 0
    assert not (model.shape and model.fixed_bytes)
    assert model.fixed_bytes == 0 or model.fixed_bytes > model.file_bytes
    assert ("chat" in model.capabilities) >= (model.role in CHAT_ROLES)


@pytest.mark.parametrize(
    "model", [model for model in GGUF if model.listed_bytes], ids=lambda model: model.id
)
def test_arithmetic_gives_every_published_size(model: KnownModel) -> None:
    """What a file has beside its tensors is the same in every quant: names of words, mostly."""
    assert model.shape
    quant, file_bytes = model.sibling
    beside = file_bytes - sum(t.size_bytes for t in tensors_of(model.shape, quant))
    expected = beside + sum(t.size_bytes for t in tensors_of(model.shape, model.quant))
    assert abs(expected - model.listed_bytes) < 1024
    assert 0 < beside < 20e6


@pytest.mark.parametrize(("name", "size_gb"), PUBLISHED_GB.items())
def test_arithmetic_gives_sizes_that_were_not_put_in(name: str, size_gb: float) -> None:
    assert known(name).file_bytes / 1e9 == pytest.approx(size_gb, rel=0.015)


@pytest.mark.parametrize("model", GGUF, ids=lambda model: model.id)
def test_facts_are_whole(model: KnownModel) -> None:
    found = model.facts
    assert found
    assert len(found.caches) == found.layers
    assert model.quant in QUANTS
    assert found.tensors_bytes < found.file_bytes < found.tensors_bytes + 20e6
    ends = [tensor.offset_bytes + tensor.size_bytes for tensor in found.tensors]
    starts = [tensor.offset_bytes for tensor in found.tensors]
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))


def test_smollm2_is_known_as_its_file_is(smollm2: Path) -> None:
    same(facts("smollm2-135m-q4_1"), read_facts(smollm2))


def test_qwen_coder_is_known_as_its_file_is(qwen: Path) -> None:
    same(facts("qwen2.5-coder-1.5b-q4_k_m"), read_facts(qwen))


def test_the_small_coder_is_known_as_its_file_is(qwen: Path) -> None:
    small = qwen.with_name("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf")
    if not small.is_file():
        pytest.skip(f"{small.name} is not beside the other weights")
    same(facts("qwen2.5-coder-0.5b-q4_k_m"), read_facts(small))


def same(mine: Facts, files: Facts) -> None:
    assert mine.file_bytes == files.file_bytes
    assert {t.name: (t.shape, t.kind, t.size_bytes) for t in mine.tensors} == {
        t.name: (t.shape, t.kind, t.size_bytes) for t in files.tensors
    }
    for number in (
        "architecture", "quant", "layers", "embedding_length", "heads", "kv_heads", "key_length",
        "value_length", "context_length", "vocabulary", "experts", "experts_used",
    ):  # fmt: skip
        assert getattr(mine, number) == getattr(files, number), number
    if files.caches:
        assert mine.caches == files.caches


def test_layers_keep_what_their_attention_needs() -> None:
    gemma = facts("gemma-3-12b").caches
    assert [cache.window_tokens for cache in gemma[:6]] == [1024] * 5 + [0]
    assert sum(cache.window_tokens == 0 for cache in gemma) == 8
    oss = facts("gpt-oss-20b").caches
    assert [cache.window_tokens for cache in oss[:4]] == [128, 0, 128, 0]
    lfm = facts("lfm2-1.2b").caches
    assert [layer for layer, cache in enumerate(lfm) if cache.key_width] == [2, 5, 8, 10, 12, 14]
    assert {cache.state_bytes for cache in lfm} == {0, 2048 * 2 * 4}
    assert not any(cache.key_width for cache in facts("bge-m3").caches)


@pytest.mark.parametrize(
    "model", [model for model in GGUF if model.usual], ids=lambda model: model.id
)
def test_layers_keep_what_a_header_with_these_numbers_says(model: KnownModel) -> None:
    assert model.shape
    assert model.facts
    said = facts_of(header_of(model.shape), Path("known.gguf"))
    assert said.caches == model.facts.caches
    assert said.kv_heads_by_layer == model.facts.kv_heads_by_layer
    assert (said.experts, said.experts_used) == (model.facts.experts, model.facts.experts_used)


def header_of(shape: Shape) -> Header:
    """As llama.cpp's converter writes it, of what decides the bytes of a talk."""
    heads: Value = shape.kv_heads
    if shape.attention_layers:
        by_layer = [shape.kv_heads if shape.attends(i) else 0 for i in range(shape.layers)]
        heads = Array("I32", shape.layers, tuple(by_layer))
    values: dict[str, Value] = {
        "block_count": shape.layers,
        "embedding_length": shape.embedding,
        "context_length": shape.context,
        "vocab_size": shape.vocabulary,
        "attention.head_count": shape.heads,
        "attention.head_count_kv": heads,
        "attention.key_length": shape.head,
        "attention.value_length": shape.head,
    }
    if shape.window:
        values["attention.sliding_window"] = shape.window
    if shape.conv_cache:
        values["shortconv.l_cache"] = shape.conv_cache
    if shape.experts:
        values |= {"expert_count": shape.experts, "expert_used_count": shape.experts_used}
    named: dict[str, Value] = {f"{shape.architecture}.{key}": v for key, v in values.items()}
    return Header(3, named | {"general.architecture": shape.architecture}, (), 0, 1000)


def test_experts_are_most_of_a_model_that_has_them() -> None:
    oss = facts("gpt-oss-20b")
    experts = sum(t.size_bytes for t in oss.tensors if "_exps." in t.name)
    assert 0.8 < experts / oss.tensors_bytes < 0.9
    assert (oss.experts, oss.experts_used) == (32, 4)


def test_parameters_are_counted_once() -> None:
    """As their publishers tell them."""
    for name, billions in {
        "qwen2.5-0.5b": 0.49, "qwen2.5-1.5b": 1.54, "qwen2.5-3b": 3.09, "qwen2.5-32b": 32.8,
        "llama-3.1-8b": 8.03, "gpt-oss-20b": 20.9, "qwen3-30b-a3b": 30.5, "solar-10.7b": 10.7,
    }.items():  # fmt: skip
        assert known(name).parameters / 1e9 == pytest.approx(billions, rel=0.01)


def test_a_known_model_is_described_as_a_manifest() -> None:
    omni = known("qwen2.5-omni-7b").manifest(role="primary")
    assert (omni.id, omni.role, omni.format) == ("qwen2.5-omni-7b-q4_k_m", "primary", "gguf")
    assert [file.part for file in omni.weights] == ["weights", "projector"]
    whisper = known("whisper-small").manifest()
    assert whisper.metadata == {"resident_bytes": 1_477_000_000}


def test_nothing_is_read_before_it_is_asked_for() -> None:
    """Importing the table opens no file: `lumbre --help` does not pay for it."""
    asking = (
        "from lumbre.registry.known import known_models as all; print(all.cache_info().currsize)"
    )
    told = subprocess.run(
        [sys.executable, "-c", asking],
        capture_output=True, text=True, check=True, env=dict(os.environ),
    )  # fmt: skip
    assert told.stdout.strip() == "0"

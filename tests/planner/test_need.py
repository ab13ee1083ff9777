"""The need of a worker follows from the header and the settings, and never shrinks with either."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.backend import LoadMode, WorkerSettings
from lumbre.core.model import Facts, Tensor
from lumbre.planner.need import copied_bytes, kv_bytes, need, need_of_files

MIB = 2**20


def tensor(name: str, kind: str, *shape: int, size: int = 1000) -> Tensor:
    return Tensor(name, shape, kind, 0, size)


QWEN = Facts(
    architecture="qwen2", name="q", quant="Q4_K_M", layers=28, embedding_length=1536, heads=12,
    kv_heads=2, key_length=128, value_length=128, context_length=32768, vocabulary=151_936,
    chat_template=None, file_bytes=1_117_320_768,
    tensors=(
        tensor("token_embd.weight", "Q4_K", 1536, 151_936, size=131 * MIB),
        tensor("output.weight", "Q6_K", 1536, 151_936, size=191 * MIB),
        tensor("output_norm.weight", "F32", 1536),
        tensor("blk.0.ffn_up.weight", "Q4_K", 1536, 8960, size=200 * MIB),
        tensor("blk.0.ffn_down.weight", "Q6_K", 8960, 1536, size=150 * MIB),
        tensor("blk.0.attn_k.weight", "Q4_K", 1536, 260, size=6 * MIB),
        tensor("blk.0.attn_k.bias", "F32", 256),
        tensor("blk.0.ffn_up_exps.weight", "Q4_0", 1536, 8960, 8, size=30 * MIB),
    ),
)  # fmt: skip

settings_of = st.builds(
    WorkerSettings,
    context_tokens=st.integers(0, 100_000),
    slots=st.integers(1, 8),
    load_mode=st.sampled_from(["mmap", "read"]),
    extra_buffers=st.booleans(),
    cache_ram_mib=st.integers(0, 10_000),
    kv_type=st.sampled_from(["f16", "q8_0"]),
    batch_tokens=st.integers(1, 4096),
)


def test_the_cache_of_a_known_model() -> None:
    """Qwen2.5 1.5B: 28 layers, 2 heads of 128 + 128, f16: 28 KiB a token, so 2048 are 56 MiB."""
    assert kv_bytes(QWEN, WorkerSettings(context_tokens=2048)) == 56 * MIB
    assert kv_bytes(QWEN, WorkerSettings(context_tokens=1793)) == 56 * MIB
    assert kv_bytes(QWEN, WorkerSettings(context_tokens=1792)) == 49 * MIB
    assert kv_bytes(QWEN, WorkerSettings(context_tokens=0)) == 16 * 56 * MIB
    quantised = WorkerSettings(context_tokens=2048, kv_type="q8_0")
    assert kv_bytes(QWEN, quantised) == 56 * MIB * 34 // 64


def test_layers_that_differ_are_counted_one_by_one() -> None:
    mixed = replace(QWEN, kv_heads_by_layer=(2,) * 14 + (0,) * 14)
    wish = WorkerSettings(context_tokens=2048)
    assert kv_bytes(mixed, wish) == kv_bytes(QWEN, wish) // 2


@pytest.mark.parametrize(
    ("load_mode", "extra_buffers", "processor", "copied_mib"),
    [
        ("mmap", True, "x86_64", 230),
        ("mmap", True, "AMD64", 230),
        ("mmap", True, "aarch64", 230 + 150 + 191),
        ("mmap", False, "x86_64", 0),
        ("read", True, "x86_64", 0),
        ("read", False, "aarch64", 0),
    ],
)
def test_what_is_rewritten_for_speed_stands_twice_beside_a_mapped_file(
    load_mode: LoadMode, extra_buffers: bool, processor: str, copied_mib: int
) -> None:
    """Not the table of words, not a matrix of 260 rows, not what this processor leaves alone."""
    wish = WorkerSettings(context_tokens=512, load_mode=load_mode, extra_buffers=extra_buffers)
    assert copied_bytes(QWEN, wish, processor) == copied_mib * MIB


@pytest.mark.parametrize("load_mode", ["mmap", "read"])
def test_a_table_of_words_that_is_the_output_too_is_needed_in_both_forms(
    load_mode: LoadMode,
) -> None:
    tied = replace(QWEN, tensors=(QWEN.tensors[0],))
    wish = WorkerSettings(context_tokens=512, load_mode=load_mode)
    assert copied_bytes(tied, wish) == 131 * MIB


@given(settings_of, st.booleans(), st.sampled_from(["x86_64", "aarch64"]))
def test_the_parts_are_the_whole_and_none_is_negative(
    wish: WorkerSettings, embeds: bool, processor: str
) -> None:
    said = need(QWEN, wish, embeds=embeds, processor=processor)
    parts = (said.weights_bytes, said.repack_bytes, said.kv_bytes, said.overhead_bytes)
    assert min(parts) >= 0
    assert said.total_bytes == sum(parts)
    assert said.weights_bytes == QWEN.file_bytes
    assert said.overhead_bytes >= (100 + wish.cache_ram_mib) * MIB


@given(settings_of, st.integers(0, 100_000), st.integers(0, 4096), st.integers(0, 10_000))
def test_more_context_batch_or_cache_never_needs_less(
    wish: WorkerSettings, context: int, batch: int, cache: int
) -> None:
    wish = replace(wish, context_tokens=max(1, wish.context_tokens))
    larger = replace(
        wish,
        context_tokens=wish.context_tokens + context,
        batch_tokens=wish.batch_tokens + batch,
        cache_ram_mib=wish.cache_ram_mib + cache,
    )
    assert need(QWEN, larger).total_bytes >= need(QWEN, wish).total_bytes


@given(settings_of)
def test_what_is_cheaper_is_not_dearer(wish: WorkerSettings) -> None:
    wish = replace(wish, kv_type="f16", extra_buffers=True)
    for cheaper in (replace(wish, kv_type="q8_0"), replace(wish, extra_buffers=False)):
        assert need(QWEN, cheaper).total_bytes <= need(QWEN, wish).total_bytes


def test_an_engine_without_a_formula_holds_its_files_or_what_its_manifest_says() -> None:
    assert need_of_files(30 * MIB).total_bytes == 130 * MIB
    assert need_of_files(30 * MIB, resident_bytes=70 * MIB).total_bytes == 170 * MIB

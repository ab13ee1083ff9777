"""The bytes of a worker follow from the header and the choice, and never shrink with either."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.backend import LoadMode
from lumbre.core.machine import CPU, Device, Host
from lumbre.core.model import Facts, LayerCache, Tensor
from lumbre.core.plan import Choice
from lumbre.planner.footprint import copied_bytes, formula, layers_by_device, weights_by_device
from lumbre.planner.wish import Wish

MIB = 2**20
LAYERS = 28


def tensor(name: str, kind: str, *shape: int, size: int = 1000) -> Tensor:
    return Tensor(name, shape, kind, 0, size)


QWEN = Facts(
    architecture="qwen2", name="q", quant="Q4_K_M", layers=LAYERS, embedding_length=1536, heads=12,
    kv_heads=2, key_length=128, value_length=128, context_length=32768, vocabulary=151_936,
    chat_template=None, file_bytes=1_117_320_768,
    tensors=(
        tensor("token_embd.weight", "Q4_K", 1536, 151_936, size=131 * MIB),
        tensor("output.weight", "Q6_K", 1536, 151_936, size=191 * MIB),
        tensor("output_norm.weight", "F32", 1536),
        *(tensor(f"blk.{n}.ffn_up.weight", "Q4_K", 1536, 8960, size=8 * MIB) for n in range(28)),
        *(tensor(f"blk.{n}.ffn_down.weight", "Q6_K", 8960, 1536, size=9 * MIB) for n in range(28)),
        tensor("blk.0.attn_k.weight", "Q4_K", 1536, 260, size=6 * MIB),
        tensor("blk.0.attn_k.bias", "F32", 256),
        tensor("blk.3.ffn_up_exps.weight", "Q4_0", 1536, 8960, 8, size=30 * MIB),
    ),
)  # fmt: skip
WISH = Wish(id="q", role="primary", facts=QWEN)
GIB = 2**30


def device(name: str, kind: str = "cuda") -> Device:
    return Device(id=name, kind=kind, name=name, total_bytes=8 * GIB, free_bytes=8 * GIB)  # type: ignore[arg-type]


HOST = Host(
    name="two cards",
    devices=(device(CPU, "cpu"), device("gpu0"), device("gpu1")),
    cores=8,
    architecture="x86_64",
)

choices = st.builds(
    Choice,
    context_tokens=st.integers(1, 100_000),
    slots=st.integers(1, 8),
    load_mode=st.sampled_from(["mmap", "read"]),
    extra_buffers=st.booleans(),
    kv_type=st.sampled_from(["f16", "q8_0"]),
)
splits = st.tuples(st.integers(1, 20), st.integers(1, 20)).map(
    lambda counts: (("gpu0", counts[0]), ("gpu1", counts[1]))
)


def total(choice: Choice, wish: Wish = WISH) -> int:
    return sum(placement.footprint.total_bytes for placement in formula(wish, choice, HOST))


def on_cpu(choice: Choice) -> int:
    return formula(WISH, choice, HOST)[0].footprint.kv_bytes


def test_the_cache_of_a_known_model() -> None:
    """Qwen2.5 1.5B: 28 layers, 2 heads of 128 + 128, f16: 28 KiB a token, so 2048 are 56 MiB."""
    assert on_cpu(Choice(context_tokens=2048)) == 56 * MIB
    assert on_cpu(Choice(context_tokens=1793)) == 56 * MIB
    assert on_cpu(Choice(context_tokens=1792)) == 49 * MIB
    assert on_cpu(Choice(context_tokens=0)) == 16 * 56 * MIB
    assert on_cpu(Choice(context_tokens=2048, kv_type="q8_0")) == 56 * MIB * 34 // 64


@pytest.mark.parametrize(
    ("load_mode", "extra_buffers", "processor", "copied_mib"),
    [
        ("mmap", True, "x86_64", 28 * 8 + 30),
        ("mmap", True, "AMD64", 28 * 8 + 30),
        ("mmap", True, "aarch64", 28 * (8 + 9) + 30 + 191),
        ("mmap", False, "x86_64", 0),
        ("read", True, "x86_64", 0),
        ("read", False, "aarch64", 0),
    ],
)
def test_what_is_rewritten_for_speed_stands_twice_beside_a_mapped_file(
    load_mode: LoadMode, extra_buffers: bool, processor: str, copied_mib: int
) -> None:
    """Not the table of words, not a matrix of 260 rows, not what this processor leaves alone."""
    choice = Choice(context_tokens=512, load_mode=load_mode, extra_buffers=extra_buffers)
    assert copied_bytes(QWEN, choice, processor) == copied_mib * MIB


def test_nothing_is_rewritten_for_a_processor_that_shares_with_a_card() -> None:
    assert copied_bytes(QWEN, Choice(context_tokens=512, layers=(("gpu0", 1),)), "x86_64") == 0


@pytest.mark.parametrize("load_mode", ["mmap", "read"])
def test_a_table_of_words_that_is_the_output_too_is_needed_in_both_forms(
    load_mode: LoadMode,
) -> None:
    tied = replace(QWEN, tensors=(QWEN.tensors[0],))
    assert (
        copied_bytes(tied, Choice(context_tokens=512, load_mode=load_mode), "x86_64") == 131 * MIB
    )


def test_the_last_layers_go_to_the_cards_and_the_output_with_the_last_of_them() -> None:
    held = layers_by_device(QWEN, Choice(context_tokens=512, layers=(("gpu0", 3), ("gpu1", 2))))
    assert held == {CPU: range(24), "gpu0": range(24, 27), "gpu1": range(27, 29)}
    assert LAYERS in held["gpu1"]


@given(choices, splits, st.integers(0, 40))
def test_every_tensor_lies_somewhere_and_once(
    choice: Choice, layers: tuple[tuple[str, int], ...], experts: int
) -> None:
    choice = replace(choice, layers=layers, expert_layers_on_cpu=experts)
    shares = weights_by_device(QWEN, choice)
    assert min(shares.values()) >= 0
    assert sum(shares.values()) == sum(tensor.size_bytes for tensor in QWEN.tensors)


def test_a_table_that_serves_as_the_output_is_on_the_card_once_more() -> None:
    tied = replace(QWEN, tensors=tuple(t for t in QWEN.tensors if t.name != "output.weight"))
    shares = weights_by_device(tied, Choice(context_tokens=512, layers=(("gpu0", 1),)))
    assert shares["gpu0"] >= 131 * MIB
    assert sum(shares.values()) == sum(t.size_bytes for t in tied.tensors) + 131 * MIB


def test_experts_kept_in_main_memory_leave_the_card() -> None:
    all_on_card = Choice(context_tokens=512, layers=(("gpu0", 29),))
    kept = replace(all_on_card, expert_layers_on_cpu=4)
    before, after = weights_by_device(QWEN, all_on_card), weights_by_device(QWEN, kept)
    assert before["gpu0"] - after["gpu0"] == after[CPU] - before[CPU] == 30 * MIB


@given(choices, st.integers(0, 100_000), st.integers(0, 4))
def test_more_context_or_slots_never_needs_less(choice: Choice, context: int, slots: int) -> None:
    larger = replace(
        choice, context_tokens=choice.context_tokens + context, slots=choice.slots + slots
    )
    assert total(larger) >= total(choice)


@given(choices, st.integers(0, 4096), st.integers(0, 10_000))
def test_a_larger_batch_or_prompt_cache_never_needs_less(
    choice: Choice, batch: int, cache: int
) -> None:
    larger = replace(WISH, batch_tokens=64 + batch, cache_ram_mib=cache)
    assert total(choice, larger) >= total(choice) + cache * MIB


@given(choices)
def test_what_is_cheaper_is_not_dearer(choice: Choice) -> None:
    choice = replace(choice, kv_type="f16", extra_buffers=True)
    for cheaper in (replace(choice, kv_type="q8_0"), replace(choice, extra_buffers=False)):
        assert total(cheaper) <= total(choice)


def test_a_card_takes_its_own_toll_before_the_first_tensor() -> None:
    """Each process pays it on each card it uses."""
    placements = formula(WISH, Choice(context_tokens=512, layers=(("gpu0", 2), ("gpu1", 2))), HOST)
    for placement in placements[1:]:
        assert placement.footprint.overhead_bytes >= 400 * MIB


def test_a_worker_without_a_formula_holds_what_it_is_said_to() -> None:
    wish = Wish(id="encoder", role="embedding", facts=None, fixed_bytes=170 * MIB)
    assert total(Choice(context_tokens=0), wish) == 170 * MIB


def test_an_encoder_keeps_no_worth_of_every_word() -> None:
    """What keeps nothing of a talk has no output of words, though it has a norm before one."""
    encoder = replace(QWEN, caches=(LayerCache(key_width=0, value_width=0),) * LAYERS)
    embeds = replace(WISH, embeds=True, role="embedding")
    choice = Choice(context_tokens=2048)
    talker, reader = total(choice, embeds), total(choice, replace(embeds, facts=encoder))
    assert talker - reader > 2 * 4 * 2000 * QWEN.vocabulary

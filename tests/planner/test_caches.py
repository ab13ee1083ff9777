"""A layer keeps what its kind of attention keeps: no less than the engine takes, and no more."""

from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.backend import KvType
from lumbre.core.model import LayerCache
from lumbre.planner.caches import cache_bytes, layer_cache_bytes

MIB = 2**20
PLAIN = LayerCache(key_width=1024, value_width=1024)
NEAR = LayerCache(key_width=1024, value_width=1024, window_tokens=512)
NOTHING = LayerCache(key_width=0, value_width=0)

caches = st.lists(
    st.builds(
        LayerCache,
        key_width=st.integers(0, 4096),
        value_width=st.integers(0, 4096),
        window_tokens=st.sampled_from([0, 128, 512, 4096]),
        state_bytes=st.integers(0, 1 << 24),
    ),
    max_size=6,
)
contexts = st.integers(1, 131_072)
slots = st.integers(1, 8)
batches = st.integers(1, 2048)
kv_types: st.SearchStrategy[KvType] = st.sampled_from(["f16", "q8_0"])


def of(
    layers: list[LayerCache],
    context: int,
    slots: int = 1,
    batch: int = 64,
    kv_type: KvType = "f16",
) -> int:
    return cache_bytes(
        layers, context_tokens=context, slots=slots, batch_tokens=batch, kv_type=kv_type
    )


def test_a_gigabyte_of_talk_at_llama_3_1() -> None:
    """32 layers, 8 kv heads of 128, f16: 128 KiB a token, so 8192 tokens are 1 GiB."""
    assert of([PLAIN] * 32, 8192) == 1024 * MIB


def test_smollm2_takes_what_its_log_said() -> None:
    layer = LayerCache(key_width=192, value_width=192)
    assert of([layer] * 30, 2048) == 45 * MIB
    assert round(of([layer] * 30, 8192, kv_type="q8_0") / MIB, 1) == 95.6


def test_a_layer_that_looks_back_a_little_keeps_its_window_and_the_batch() -> None:
    assert of([NEAR], 32_768) == 768 * 4096  # 512 + 64, a whole number of 256
    assert of([NEAR], 32_768, slots=4) == 2304 * 4096
    assert of([NEAR], 256) == 256 * 4096  # never more than the context


def test_a_recurrent_layer_keeps_a_state_for_each_slot_however_long_the_talk() -> None:
    layer = LayerCache(key_width=0, value_width=0, state_bytes=1000)
    assert of([layer], 512) == of([layer], 65_536) == 1000
    assert of([layer], 512, slots=3) == 3000


def test_a_layer_that_shares_anothers_cache_keeps_nothing() -> None:
    assert of([NOTHING], 8192, slots=4) == 0


@given(layers=caches, context=contexts, slots=slots, batch=batches, kv_type=kv_types)
def test_the_whole_is_the_sum_of_its_layers(
    layers: list[LayerCache], context: int, slots: int, batch: int, kv_type: KvType
) -> None:
    by_layer = layer_cache_bytes(
        layers, context_tokens=context, slots=slots, batch_tokens=batch, kv_type=kv_type
    )
    assert len(by_layer) == len(layers)
    assert sum(by_layer) == of(layers, context, slots, batch, kv_type)


@given(layers=caches, context=contexts, slots=slots, batch=batches, kv_type=kv_types)
def test_more_of_anything_never_takes_less(
    layers: list[LayerCache], context: int, slots: int, batch: int, kv_type: KvType
) -> None:
    bytes_ = of(layers, context, slots, batch, kv_type)
    assert bytes_ <= of(layers, context + 1, slots, batch, kv_type)
    assert bytes_ <= of(layers, context, slots + 1, batch, kv_type)
    assert bytes_ <= of(layers, context, slots, batch + 1, kv_type)
    assert bytes_ <= of([*layers, PLAIN], context, slots, batch, kv_type)


@given(layers=caches, context=contexts, slots=slots, batch=batches)
def test_a_window_never_takes_more_than_the_whole(
    layers: list[LayerCache], context: int, slots: int, batch: int
) -> None:
    whole = [
        LayerCache(
            key_width=layer.key_width,
            value_width=layer.value_width,
            state_bytes=layer.state_bytes,
        )
        for layer in layers
    ]
    assert of(layers, context, slots, batch) <= of(whole, context, slots, batch)

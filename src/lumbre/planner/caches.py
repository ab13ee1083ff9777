"""How many bytes a model's talk takes in memory, layer by layer. Pure.

tests/planner/test_caches.py holds it against the engine's own figures, for every kind of
layer there is.
"""

from collections.abc import Sequence

from lumbre.core.backend import CONTEXT_CHECKPOINTS, KvType
from lumbre.core.model import LayerCache

STEP_TOKENS = 256
"""Source: llama.cpp src/llama-context.cpp, llama_context: GGML_PAD(cparams.n_ctx, 256)."""
_BLOCKS: dict[KvType, tuple[int, int]] = {"f16": (1, 2), "q8_0": (32, 34)}
"""Numbers of a block and its bytes. Source: ggml/src/ggml.c, type_traits."""


def cache_bytes(
    caches: Sequence[LayerCache],
    *,
    context_tokens: int,
    slots: int,
    batch_tokens: int,
    kv_type: KvType,
) -> int:
    """Bytes of all layers' caches together."""
    return sum(
        layer_cache_bytes(
            caches,
            context_tokens=context_tokens,
            slots=slots,
            batch_tokens=batch_tokens,
            kv_type=kv_type,
        )
    )


def layer_cache_bytes(
    caches: Sequence[LayerCache],
    *,
    context_tokens: int,
    slots: int,
    batch_tokens: int,
    kv_type: KvType,
) -> tuple[int, ...]:
    """Bytes each layer keeps, first layer first.

    `context_tokens` are the whole worker's: its slots share one cache (kv_unified). A
    layer that looks back only so far keeps its window for each slot and the batch being
    read; a recurrent one keeps its state for each slot, however long the talk.
    """
    whole_tokens = padded_tokens(context_tokens)
    batch_tokens = min(batch_tokens, whole_tokens)
    return tuple(
        _entries(cache, whole_tokens, slots, batch_tokens)
        * (slots if cache.is_each_slots_own else 1)
        * (_row_bytes(cache.key_width, kv_type) + _row_bytes(cache.value_width, kv_type))
        + cache.state_bytes * slots
        for cache in caches
    )


def checkpoint_bytes(
    caches: Sequence[LayerCache], *, context_tokens: int, slots: int, kv_type: KvType
) -> int:
    """Bytes an engine keeps in main memory to go on from an earlier place in a talk.

    Only of layers that cannot be worked back: a window's worth of each, or a state.
    Source: llama.cpp tools/server, n_ctx_checkpoints: the partial state of one sequence.
    """
    one = [cache for cache in caches if cache.window_tokens or cache.state_bytes]
    sizes = layer_cache_bytes(
        one, context_tokens=context_tokens, slots=1, batch_tokens=1, kv_type=kv_type
    )
    return CONTEXT_CHECKPOINTS * slots * sum(sizes)


def padded_tokens(tokens: int) -> int:
    """What the engine makes of a context it is asked for."""
    return -(-tokens // STEP_TOKENS) * STEP_TOKENS


def _entries(cache: LayerCache, whole_tokens: int, slots: int, batch_tokens: int) -> int:
    """Source: src/llama-kv-cache-iswa.cpp, llama_kv_cache_iswa: size_swa, with kv_unified and
    without swa_full."""
    if not cache.window_tokens:
        return whole_tokens
    return padded_tokens(min(whole_tokens, cache.window_tokens * slots + batch_tokens))


def _row_bytes(width: int, kv_type: KvType) -> int:
    """A type of blocks holds whole blocks only."""
    numbers, block_bytes = _BLOCKS[kv_type]
    return -(-width // numbers) * block_bytes

"""What each layer of a model keeps of a talk, from its header alone.

Source, where no other is named: `llama_hparams` of src/llama-hparams.cpp and
`llama_model::create_memory` of src/llama-model.cpp, llama.cpp b11549.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lumbre.core.model import LayerCache
from lumbre.formats.gguf_architectures import Kind, Near, State
from lumbre.formats.gguf_said import Said

_F32_BYTES = 4
_NOTHING = LayerCache(key_width=0, value_width=0)
_FINE = 4
"""Source: src/llama-kv-cache-dsv4.cpp: layers of this ratio have an indexer too, and their
windows overlap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """How wide attention is, layer by layer."""

    embedding: int
    counts: tuple[int, ...]
    kv: tuple[int, ...]
    key_length: int
    value_length: int


def caches_of(said: Said, kind: Kind, layers: int, heads: Heads) -> tuple[LayerCache, ...]:
    """One for each layer.

    Raises:
        BadWeights: a value it depends on cannot be.
    """
    if not kind.keeps:
        return (_NOTHING,) * layers
    # The layers that only guess tokens ahead are not loaded for a talk.
    ahead = min(said.count("nextn_predict_layers", default=0), layers)
    told = layers - ahead
    recurrent = _recurrent(said, kind, layers, told, heads)
    windows = _windows(said, kind.near, layers, told) if kind.near else (0,) * layers
    keeping = _keeping(said, kind, layers, told)
    state_bytes = _F32_BYTES * _STATES[kind.state](said, heads) if any(recurrent) else 0
    index = _indexes(said, kind, layers)
    beside = _beside_bytes(said, layers, heads)
    return tuple(
        _layer(
            said, kind, heads, layer,
            is_recurrent=recurrent[layer],
            window_tokens=windows[layer],
            keeps_keys=layer < keeping,
            index_width=index[layer],
            state_bytes=(state_bytes if recurrent[layer] else 0) + beside[layer],
        )
        for layer in range(layers)
    )  # fmt: skip


def _layer(
    said: Said,
    kind: Kind,
    heads: Heads,
    layer: int,
    *,
    is_recurrent: bool,
    window_tokens: int,
    keeps_keys: bool,
    index_width: int,
    state_bytes: int,
) -> LayerCache:
    attends = not is_recurrent or kind.recurrent == "beside"
    if not (attends and keeps_keys):
        return LayerCache(key_width=0, value_width=0, state_bytes=state_bytes)
    key_length, value_length = heads.key_length, heads.value_length
    if window_tokens:
        key_length = said.count("attention.key_length_swa", default=key_length)
        value_length = said.count("attention.value_length_swa", default=value_length)
    kv_heads = heads.kv[layer]
    if kind.hidden_layer and layer == 0:
        kv_heads *= 2
    cache = LayerCache(
        key_width=kv_heads * key_length + index_width,
        value_width=0 if kind.latent and _is_latent(said) else kv_heads * value_length,
        window_tokens=window_tokens,
        state_bytes=state_bytes,
    )
    return _compressed(said, cache, layer) if kind.index == "compressed" else cache


def _is_latent(said: Said) -> bool:
    """Values are computed from the keys. Source: llama_hparams::is_mla."""
    return all(said.count(f"attention.{name}_length_mla", default=0) for name in ("key", "value"))


def _keeping(said: Said, kind: Kind, layers: int, told: int) -> int:
    """The first so many layers keep keys and values of their own."""
    if kind.keeping_layers:
        return kind.keeping_layers
    if kind.shares:
        return max(0, told - said.count("attention.shared_kv_layers", default=0))
    # Source: the hybrid memories filter by what a layer is, not by where it stands.
    return (
        told
        if kind.recurrent in (None, "interval") and kind.index != "pairs_behind_dense"
        else layers
    )


def _windows(said: Said, near: Near, layers: int, told: int) -> tuple[int, ...]:
    """How far back each layer looks; 0: to the beginning."""
    tokens = said.count("attention.sliding_window", default=near.tokens)
    if not tokens or (near.layers and told != near.layers):
        return (0,) * layers
    tokens = near.always_tokens or tokens
    key, period = "attention.sliding_window_pattern", near.period
    listed = None if period == 0 else said.flags(key, layers, missing=False)
    if listed is None:
        period = said.count(key) if period != 0 and said.has(key) else period
        listed = tuple(layer < told and _is_near(near, period, layer) for layer in range(layers))
    return tuple(tokens if is_near else 0 for is_near in listed)


def _is_near(near: Near, period: int | None, layer: int) -> bool:
    """Source: llama_hparams::set_swa_pattern."""
    if period is None:
        return False
    if period == 0:
        return True
    return layer % period != 0 if near.first else layer % period < period - 1


def _recurrent(said: Said, kind: Kind, layers: int, told: int, heads: Heads) -> tuple[bool, ...]:
    match kind.recurrent:
        case None:
            return (False,) * layers
        case "every" | "beside":
            return (True,) * layers
        case "without_heads":
            return tuple(count == 0 for count in heads.kv)
        case "without_heads_or_ff":
            inner = _each(said.by_layer("feed_forward_length", layers, default=(0,)), layers)
            return tuple(
                not count and not width for count, width in zip(heads.kv, inner, strict=True)
            )
        case "interval":
            listed = said.flags("attention.recurrent_layers", layers, missing=False)
            if listed is None:
                interval = said.count("full_attention_interval", default=kind.interval)
                listed = tuple(bool((layer + 1) % max(interval, 1)) for layer in range(layers))
            return tuple(is_listed and layer < told for layer, is_listed in enumerate(listed))


def _each(values: Sequence[int], layers: int) -> tuple[int, ...]:
    return tuple(values) * layers if len(values) == 1 else tuple(values)


def _mamba(said: Said, heads: Heads, groups: int = 0) -> int:
    inner, state = said.count("ssm.inner_size"), said.count("ssm.state_size")
    columns = max(said.count("ssm.conv_kernel") - 1, 0)
    return columns * (inner + 2 * groups * state) + state * inner


def _mamba2(said: Said, heads: Heads) -> int:
    return _mamba(said, heads, said.count("ssm.group_count", default=0))


def _rwkv(said: Said, heads: Heads) -> int:
    """Source of the 2: LLM_KV_TOKEN_SHIFT_COUNT is optional, src/llama-hparams.h."""
    shifts = said.count("token_shift_count", default=2)
    return heads.embedding * (shifts + said.count("wkv.head_size"))


def _shortconv(said: Said, heads: Heads) -> int:
    return heads.embedding * max(said.count("shortconv.l_cache") - 1, 0)


def _kda(said: Said, heads: Heads) -> int:
    width = said.count("kda.head_dim")
    columns = max(said.count("ssm.conv_kernel", default=4) - 1, 0)
    return max(heads.counts, default=0) * width * (3 * columns + width)


def _lightning(said: Said, heads: Heads) -> int:
    return max(heads.counts, default=0) * heads.key_length * heads.key_length


_STATES: dict[State, Callable[[Said, Heads], int]] = {
    "mamba": _mamba,
    "mamba2": _mamba2,
    "rwkv": _rwkv,
    "shortconv": _shortconv,
    "kda": _kda,
    "lightning": _lightning,
}
"""Numbers of one layer's state for one sequence. Source: llama_hparams::n_embd_r and n_embd_s."""


def _indexes(said: Said, kind: Kind, layers: int) -> tuple[int, ...]:
    """Numbers more for each token, of the keys that find what to attend to.

    Source: src/llama-kv-cache-dsa.cpp, src/llama-kv-cache-msa.cpp,
    src/llama-memory-hybrid-idx.cpp.
    """
    width = said.count("attention.indexer.key_length", default=0)
    everywhere = (True,) * layers
    match kind.index:
        case None | "compressed":
            return (0,) * layers
        case "keys":
            where = everywhere
        case "listed_keys":
            listed = said.flags("attention.indexer.types", layers, missing=True)
            where = everywhere if listed is None else listed
        case "pairs":
            where, width = everywhere, 2 * width
        case "triples":
            where, width = everywhere, 3 * width
        case "pairs_behind_dense":
            dense = said.count("leading_dense_block_count", default=0)
            where, width = tuple(layer >= dense for layer in range(layers)), 2 * width
    return tuple(width if is_there else 0 for is_there in where)


def _beside_bytes(said: Said, layers: int, heads: Heads) -> tuple[int, ...]:
    """Bytes of the layers that remember the last few tokens by themselves.

    Source: llama_hparams::ple_conv_state.
    """
    if not said.has("ple.layers"):
        return (0,) * layers
    numbers = (
        max(said.count("ple.conv_kernel") - 1, 0)
        * said.count("ple.ngram_size")
        * said.count("hyper_connection.count", default=1)
        * heads.embedding
    )
    listed = said.numbers("ple.layers")
    return tuple(_F32_BYTES * numbers * (layer in listed) for layer in range(layers))


def _compressed(said: Said, cache: LayerCache, layer: int) -> LayerCache:
    """More than the layer takes: all of a talk uncompressed, and the compressed beside it.

    Source: src/llama-kv-cache-dsv4.cpp; its windows and paddings are left out.
    """
    ratios = said.numbers("attention.compress_ratios")
    ratio = ratios[layer] if layer < len(ratios) else 0
    width = cache.key_width
    found = said.count("attention.indexer.key_length", default=0)
    more = -(-(width + found) // ratio) if ratio else 0
    state = 8 * ratio * (width + found) if ratio <= _FINE else 2 * ratio * width
    return LayerCache(
        key_width=width + more,
        value_width=0,
        state_bytes=_F32_BYTES * (state + 256 * (width + found)),
        is_each_slots_own=True,
    )

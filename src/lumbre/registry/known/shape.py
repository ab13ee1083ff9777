"""The numbers of an architecture: what decides a model's tensors and the bytes of its talk."""

from collections.abc import Iterator
from dataclasses import dataclass

from lumbre.core.model import LayerCache

_STATE_ELEMENT_BYTES = 4
"""Source: llama.cpp src/llama-memory-recurrent.cpp keeps states as F32."""
Dims = tuple[int, ...]
Piece = tuple[str, Dims]
"""A tensor's name and its dimensions, rows' width first, as a GGUF writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """An architecture's numbers, as its publisher's config.json has them."""

    architecture: str
    """As `general.architecture` of a GGUF names it."""
    layers: int
    embedding: int
    heads: int
    kv_heads: int
    head: int
    """Numbers of one head."""
    feed_forward: int
    vocabulary: int
    context: int
    """Tokens it was trained for."""
    tied: bool = False
    """The table of words is the output's matrix as well, and is in the file once."""
    output_copied: bool = False
    """It is, but its publisher's files bring it twice."""
    experts: int = 0
    experts_used: int = 0
    window: int = 0
    """Tokens a sliding layer looks back."""
    pattern: int = 1
    """Every so many layers one is not sliding."""
    attention_layers: tuple[int, ...] = ()
    """Those that attend, where the others are convolutions. Empty: all do."""
    conv_cache: int = 0
    """Steps a convolution looks at, its own included."""
    by_name: bool = False
    """Its publisher's files were made layer by layer in the order of their names: 0, 1, 10, 11
    ... 2; which layers get more bits follows that."""

    @property
    def embeds(self) -> bool:
        """Made to turn text into vectors: it keeps nothing of a talk."""
        return self.architecture in ("bert", "gemma-embedding")

    def attends(self, layer: int) -> bool:
        """Whether a layer has attention."""
        return not self.attention_layers or layer in self.attention_layers

    def turns(self) -> tuple[int, ...]:
        """Whose turn each layer is when a quant decides which get more bits."""
        order = sorted(range(self.layers), key=str) if self.by_name else range(self.layers)
        turn = {layer: number for number, layer in enumerate(order)}
        return tuple(turn[layer] for layer in range(self.layers))


def caches_of(shape: Shape) -> tuple[LayerCache, ...]:
    """What each layer keeps of a talk; the same as is read from a GGUF's header.

    Source: llama.cpp src/llama-model.cpp, load_hparams: set_swa_pattern of each architecture;
    create_memory gives those that embed no cache; llama_hparams::n_embd_r for convolutions.
    """
    width = 0 if shape.embeds else shape.kv_heads * shape.head
    return tuple(
        LayerCache(
            key_width=width if shape.attends(layer) else 0,
            value_width=width if shape.attends(layer) else 0,
            window_tokens=shape.window if width and _slides(shape, layer) else 0,
            state_bytes=(
                0
                if shape.attends(layer)
                else shape.embedding * (shape.conv_cache - 1) * _STATE_ELEMENT_BYTES
            ),
        )
        for layer in range(shape.layers)
    )


def _slides(shape: Shape, layer: int) -> bool:
    return shape.window > 0 and (layer + 1) % shape.pattern != 0


def pieces_of(shape: Shape) -> Iterator[Piece]:
    """Every tensor of a model, as llama.cpp's converter writes them.

    Source: llama.cpp gguf-py/gguf/constants.py (MODEL_TENSORS) and src/llama-model.cpp
    (load_tensors), each architecture's branch.
    """
    yield "token_embd.weight", (shape.embedding, shape.vocabulary)
    yield from _of_the_whole(shape)
    for layer in range(shape.layers):
        for name, dims in _layer(shape, layer):
            yield f"blk.{layer}.{name}", dims


def _of_the_whole(shape: Shape) -> Iterator[Piece]:
    wide = shape.embedding
    match shape.architecture:
        case "bert":
            yield "position_embd.weight", (wide, shape.context)
            yield "token_types.weight", (wide,)
            yield from _norm("token_embd_norm", wide)
            return
        case "lfm2":
            yield "token_embd_norm.weight", (wide,)
            return
        case "gemma-embedding":
            yield "dense_2.weight", (wide, 4 * wide)
            yield "dense_3.weight", (4 * wide, wide)
        case "phi3" if shape.context > _LONG:
            yield "rope_factors_long.weight", (shape.head // 2,)
            yield "rope_factors_short.weight", (shape.head // 2,)
    yield "output_norm.weight", (wide,)
    if not shape.tied:
        yield "output.weight", (wide, shape.vocabulary)


_LONG = 32_768


def _layer(shape: Shape, layer: int) -> Iterator[Piece]:
    if shape.architecture == "bert":
        yield from _bert_layer(shape)
        return
    yield "attn_norm.weight", (shape.embedding,)
    yield from _attention(shape) if shape.attends(layer) else _convolution(shape)
    yield from _norms(shape)
    yield from _experts(shape) if shape.experts else _feed_forward(shape)


def _attention(shape: Shape) -> Iterator[Piece]:
    wide, queries, kept = shape.embedding, shape.heads * shape.head, shape.kv_heads * shape.head
    if shape.architecture == "phi3":
        yield "attn_qkv.weight", (wide, queries + 2 * kept)
        yield "attn_output.weight", (queries, wide)
        return
    has_bias = shape.architecture in ("qwen2", "qwen2vl", "gpt-oss")
    for name, rows in (("attn_q", queries), ("attn_k", kept), ("attn_v", kept)):
        yield f"{name}.weight", (wide, rows)
        if has_bias:
            yield f"{name}.bias", (rows,)
    yield "attn_output.weight", (queries, wide)
    if shape.architecture == "gpt-oss":
        yield "attn_output.bias", (wide,)
        yield "attn_sinks.weight", (shape.heads,)
    if shape.architecture in ("qwen3", "qwen3moe", "gemma3", "gemma-embedding", "lfm2"):
        yield "attn_q_norm.weight", (shape.head,)
        yield "attn_k_norm.weight", (shape.head,)


def _convolution(shape: Shape) -> Iterator[Piece]:
    wide = shape.embedding
    yield "shortconv.conv.weight", (shape.conv_cache, wide)
    yield "shortconv.in_proj.weight", (wide, 3 * wide)
    yield "shortconv.out_proj.weight", (wide, wide)


def _norms(shape: Shape) -> Iterator[Piece]:
    names: tuple[str, ...]
    match shape.architecture:
        case "gemma3" | "gemma-embedding":
            names = ("post_attention_norm", "ffn_norm", "post_ffw_norm")
        case "gpt-oss":
            names = ("post_attention_norm",)
        case _:
            names = ("ffn_norm",)
    for name in names:
        yield f"{name}.weight", (shape.embedding,)


def _feed_forward(shape: Shape) -> Iterator[Piece]:
    wide, inner = shape.embedding, shape.feed_forward
    if shape.architecture == "phi3":
        yield "ffn_up.weight", (wide, 2 * inner)
    else:
        yield "ffn_gate.weight", (wide, inner)
        yield "ffn_up.weight", (wide, inner)
    yield "ffn_down.weight", (inner, wide)


def _experts(shape: Shape) -> Iterator[Piece]:
    wide, inner, count = shape.embedding, shape.feed_forward, shape.experts
    has_bias = shape.architecture == "gpt-oss"
    yield "ffn_gate_inp.weight", (wide, count)
    if has_bias:
        yield "ffn_gate_inp.bias", (count,)
    for name, width, rows in (
        ("ffn_gate_exps", wide, inner),
        ("ffn_up_exps", wide, inner),
        ("ffn_down_exps", inner, wide),
    ):
        yield f"{name}.weight", (width, rows, count)
        if has_bias:
            yield f"{name}.bias", (rows, count)


def _bert_layer(shape: Shape) -> Iterator[Piece]:
    wide, inner = shape.embedding, shape.feed_forward
    for name, width, rows in (
        ("attn_q", wide, wide),
        ("attn_k", wide, wide),
        ("attn_v", wide, wide),
        ("attn_output", wide, wide),
        ("ffn_up", wide, inner),
        ("ffn_down", inner, wide),
    ):
        yield f"{name}.weight", (width, rows)
        yield f"{name}.bias", (rows,)
    yield from _norm("attn_output_norm", wide)
    yield from _norm("layer_output_norm", wide)


def _norm(name: str, width: int) -> Iterator[Piece]:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)

"""Which kind each tensor of a quant has: Q4_K_M is Q4_K, and more bits where they count.

Source: llama.cpp src/llama-quant.cpp: tensor_allows_quantization, llama_tensor_get_type_impl,
tensor_type_fallback. tests/registry/test_known.py holds it against real files and the
published sizes of others.
"""

from collections.abc import Iterable
from typing import NamedTuple

from lumbre.core.model import Tensor
from lumbre.formats.gguf_kinds import KINDS
from lumbre.registry.known.shape import Dims, Piece, Shape, pieces_of

_KINDS = {kind.name: kind for kind in KINDS.values()}
_DEFAULT = {
    "F16": "F16",
    "Q8_0": "Q8_0",
    "Q6_K": "Q6_K",
    "Q5_K_M": "Q5_K",
    "Q4_K_M": "Q4_K",
    "Q4_1": "Q4_1",
    "Q4_0": "Q4_0",
    "Q3_K_M": "Q3_K",
    "Q2_K": "Q2_K",
    "MXFP4": "Q8_0",
}
QUANTS = tuple(_DEFAULT)
"""The mixes that are known."""
_FALLBACK = {"Q2_K": "Q4_0", "Q3_K": "Q4_0", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}
_UNTOUCHED = ("_norm.weight", "ffn_gate_inp.weight", "shortconv.conv.weight")
_BERT_UNTOUCHED = ("position_embd.weight", "token_types.weight")
_ALIGNED_BYTES = 32
"""Source: GGUF_DEFAULT_ALIGNMENT."""
_SHARED = 4
"""Query heads to one of keys and values from which those get more bits."""
_LAYERS_OF_70B = 80


def tensors_of(shape: Shape, quant: str) -> tuple[Tensor, ...]:
    """The tensors of a model's GGUF, with their offsets counted from the first."""
    found, offset_bytes = [], 0
    for (name, dims), kind in _kinds(shape, quant):
        size_bytes = _size_bytes(dims, kind)
        found.append(Tensor(name, dims, kind, offset_bytes, size_bytes))
        offset_bytes += -(-size_bytes // _ALIGNED_BYTES) * _ALIGNED_BYTES
    return tuple(found)


def _kinds(shape: Shape, quant: str) -> Iterable[tuple[Piece, str]]:
    turns = shape.turns()
    attending = sorted(filter(shape.attends, range(shape.layers)), key=turns.__getitem__)
    values = {layer: turn for turn, layer in enumerate(attending)}
    for name, dims in pieces_of(shape):
        layer = int(name.split(".")[1]) if name.startswith("blk.") else 0
        turn = _Turn(turns[layer], values.get(layer, 0), len(values))
        yield (name, dims), _kind(shape, quant, name, dims, turn)


class _Turn(NamedTuple):
    """Where a tensor's layer stands among all, and among those with values."""

    layer: int
    value: int
    values: int


def _kind(shape: Shape, quant: str, name: str, dims: Dims, turn: _Turn) -> str:
    if not _is_quantised(shape, name, dims):
        return "F32"
    if quant == "F16":
        return "F16"
    if shape.architecture == "gpt-oss" and "_exps.weight" in name:
        return "MXFP4"  # published so, and left so by every quant
    wanted = _wanted(shape, quant, name, turn)
    block = _KINDS[wanted].block
    return wanted if dims[0] % block == 0 else _FALLBACK[wanted]


def _is_quantised(shape: Shape, name: str, dims: Dims) -> bool:
    if len(dims) < 2 or not name.endswith(".weight"):
        return False
    if shape.architecture == "bert" and name in _BERT_UNTOUCHED:
        return False
    return not name.endswith(_UNTOUCHED)


def _wanted(shape: Shape, quant: str, name: str, turn: _Turn) -> str:
    default = _DEFAULT[quant]
    if name == "output.weight" or (name == "token_embd.weight" and shape.tied):
        if default == "Q8_0" or shape.embedding % _KINDS[default].block:
            return "Q8_0"
        return "Q6_K"
    if "attn_v." in name:
        return _value(shape, quant, turn)
    if "attn_qkv." in name:
        return {"Q3_K_M": "Q4_K", "Q4_K_M": "Q5_K", "Q5_K_M": "Q6_K"}.get(quant, default)
    if "ffn_down" in name:
        return _down(shape, quant, turn.layer)
    if "attn_output." in name:
        return {"Q2_K": "Q3_K", "Q3_K_M": "Q4_K"}.get(quant, default)
    return default


def _value(shape: Shape, quant: str, turn: _Turn) -> str:
    match quant:
        case "Q2_K":
            kind = "Q4_K" if shape.heads // shape.kv_heads >= _SHARED else "Q3_K"
        case "Q3_K_M":
            kind = "Q5_K" if turn.value < 2 else "Q4_K"
        case "Q4_K_M" | "Q5_K_M" if _gets_more_bits(turn.value, turn.values):
            kind = "Q6_K"
        case _:
            kind = _DEFAULT[quant]
    is_70b = shape.layers == _LAYERS_OF_70B and shape.heads != shape.kv_heads
    return "Q5_K" if is_70b and kind in ("Q3_K", "Q4_K") else kind


def _down(shape: Shape, quant: str, turn: int) -> str:
    match quant:
        case "Q2_K":
            return "Q3_K"
        case "Q3_K_M":
            return "Q5_K" if turn < shape.layers // 16 else "Q4_K"
        case "Q4_K_M" | "Q5_K_M" if _gets_more_bits(turn, shape.layers):
            return "Q6_K"
    return _DEFAULT[quant]


def _gets_more_bits(index: int, count: int) -> bool:
    eighth = count // 8
    return index < eighth or index >= 7 * count // 8 or (index - eighth) % 3 == 2


def _size_bytes(dims: Dims, kind: str) -> int:
    of_kind = _KINDS[kind]
    rows = 1
    for rows_of in dims[1:]:
        rows *= rows_of
    return dims[0] // of_kind.block * of_kind.block_bytes * rows

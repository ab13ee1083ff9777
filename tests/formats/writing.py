"""Writes GGUF files for the tests: good ones, and ones that lie."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lumbre.formats.gguf_kinds import KINDS

CODES = {
    "uint8": (0, "B"), "int8": (1, "b"), "uint16": (2, "H"), "int16": (3, "h"),
    "uint32": (4, "I"), "int32": (5, "i"), "float32": (6, "f"), "bool": (7, "?"),
    "uint64": (10, "Q"), "int64": (11, "q"), "float64": (12, "d"),
}  # fmt: skip
KIND_NUMBERS = {kind.name: number for number, kind in KINDS.items()}


@dataclass(frozen=True)
class As:
    """A number, or a list of numbers, written as the kind that is named."""

    kind: str
    value: "int | float | bool | Sequence[int | float | bool]"


@dataclass(frozen=True)
class Raw:
    """A value's bytes as they are: its kind and what follows."""

    data: bytes


Written: TypeAlias = str | int | float | bool | Sequence[str] | As | Raw


@dataclass(frozen=True)
class Numbers:
    """A tensor. Kind, offset and size are what a good file would have unless given."""

    name: str
    shape: tuple[int, ...] = (32,)
    kind: str | int = "F32"
    offset: int | None = None


MODEL: dict[str, Written] = {
    "general.architecture": "llama",
    "general.name": "Tiny Talker 1M",
    "general.file_type": 15,
    "llama.block_count": 2,
    "llama.context_length": 128,
    "llama.embedding_length": 64,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "tokenizer.ggml.tokens": ["a", "b", "<|end|>"],
    "tokenizer.chat_template": "{{ messages }}",
}
"""The header of a model that talks, and is too small to say anything."""
TENSORS = (Numbers("token_embd.weight", (64, 3)), Numbers("blk.0.attn_q.weight", (256, 2), "Q4_K"))


def text(value: str | bytes) -> bytes:
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(data)) + data


def valued(value: Written) -> bytes:
    match value:
        case Raw(data):
            return data
        case As(kind, list() | tuple() as items):
            number, code = CODES[kind]
            return struct.pack(f"<IIQ{len(items)}{code}", 9, number, len(items), *items)
        case As(kind, one):
            number, code = CODES[kind]
            return struct.pack(f"<I{code}", number, one)
        case bool():
            return valued(As("bool", value))
        case int():
            return valued(As("uint32", value))
        case float():
            return valued(As("float32", value))
        case str():
            return struct.pack("<I", 8) + text(value)
        case _:
            items = list(value)
            return struct.pack("<IIQ", 9, 8, len(items)) + b"".join(map(text, items))


def gguf(
    metadata: Mapping[str, Written] | Sequence[tuple[str | bytes, Written]] = MODEL,
    tensors: Sequence[Numbers] = TENSORS,
    *,
    version: int = 3,
    magic: bytes = b"GGUF",
    alignment: int = 32,
    keys: int | None = None,
    count: int | None = None,
    numbers: bool = True,
) -> bytes:
    """A whole file. `keys` and `count` are what it claims; its tensors hold zeros."""
    pairs = list(metadata.items()) if isinstance(metadata, Mapping) else list(metadata)
    count = len(tensors) if count is None else count
    out = magic + struct.pack("<IQQ", version, count, len(pairs) if keys is None else keys)
    for key, value in pairs:
        out += text(key) + valued(value)
    data_bytes = 0
    for tensor in tensors:
        number = KIND_NUMBERS[tensor.kind] if isinstance(tensor.kind, str) else tensor.kind
        offset = data_bytes if tensor.offset is None else tensor.offset
        out += text(tensor.name) + struct.pack(
            f"<I{len(tensor.shape)}QIQ", len(tensor.shape), *tensor.shape, number, offset
        )
        if number in KINDS and max(tensor.shape, default=0) < 2**20:
            size = KINDS[number].block_bytes
            for length in tensor.shape:
                size *= length
            data_bytes += padded(size // KINDS[number].block, alignment)
    return padded_with_zeros(out, alignment) + bytes(data_bytes if numbers else 0)


def padded(count: int, alignment: int) -> int:
    return -(-count // alignment) * alignment


def padded_with_zeros(data: bytes, alignment: int) -> bytes:
    return data + bytes(padded(len(data), alignment) - len(data))

"""The header of a GGUF file, read without believing any number in it.

A file may come from anywhere: whatever is wrong becomes `BadWeights`, and what the engine
would refuse is refused here, with a reason.

Source: the layout is docs/gguf.md of ggml; the rules are `gguf_init_from_reader` of
ggml/src/gguf.cpp (llama.cpp).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lumbre.core.model import Tensor
from lumbre.formats.gguf_kinds import KINDS
from lumbre.formats.gguf_reader import Reader, Value
from lumbre.formats.ranged import Ranged, local

_MOST_KEYS = 4096
_MOST_KEY_BYTES = 65_535
"""Source: docs/gguf.md of ggml."""
_MOST_TENSORS = 65_536
_MOST_NAME_BYTES = 63
"""Source: GGML_MAX_NAME of ggml.h is 64, with its closing zero."""
_MOST_DIMENSIONS = 4
"""Source: GGML_MAX_DIMS of ggml.h."""
_LARGEST_COUNT = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Header:
    """Everything a GGUF file says before its numbers begin."""

    version: int
    metadata: Mapping[str, Value]
    tensors: tuple[Tensor, ...]
    data_start_bytes: int
    file_bytes: int


def read_header(path: Path) -> Header:
    """The header of a GGUF file, version 2 or 3, little-endian.

    Raises:
        BadWeights: not such a file, cut short, or a header no engine would accept.
    """
    with local(path) as file:
        return header_from(file, path)


def header_from(file: Ranged, name: Path | str) -> Header:
    """The same of a file that lies elsewhere; errors call it by `name`.

    Raises:
        BadWeights: as `read_header`, and whatever reading the file raises.
    """
    return _header(Reader(file, name))


def _header(reader: Reader) -> Header:
    if reader.take(min(4, reader.file_bytes), "magic") != b"GGUF":
        raise reader.bad("other_magic")
    version = reader.whole("I", "version")
    if version and version & 0xFFFF == 0:
        raise reader.bad("big_endian")
    if version not in (2, 3):
        raise reader.bad("version", version=version)
    tensor_count, key_count = reader.whole("Q", "tensors"), reader.whole("Q", "keys")
    if tensor_count > _MOST_TENSORS:
        raise reader.bad("too_large", what="tensors", count=tensor_count)
    if key_count > _MOST_KEYS:
        raise reader.bad("too_large", what="keys", count=key_count)
    metadata = _metadata(reader, key_count)
    alignment = _alignment(reader, metadata)
    tensors = _tensors(reader, tensor_count)
    data_start_bytes = _padded(reader.position_bytes, alignment)
    tensors = _placed(reader, tensors, data_start_bytes, alignment)
    return Header(version, metadata, tensors, data_start_bytes, reader.file_bytes)


def _metadata(reader: Reader, count: int) -> dict[str, Value]:
    metadata: dict[str, Value] = {}
    for index in range(count):
        key = reader.text(f"key {index + 1}", _MOST_KEY_BYTES)
        if not key:
            raise reader.bad("missing", what=f"key {index + 1}")
        if key in metadata:
            raise reader.bad("twice", what=key)
        metadata[key] = reader.value(key)
    return metadata


def _alignment(reader: Reader, metadata: Mapping[str, Value]) -> int:
    """Source: GGUF_DEFAULT_ALIGNMENT of gguf.h is 32; a file's own is a power of two."""
    value = metadata.get("general.alignment", 32)
    if type(value) is not int or value <= 0 or value & (value - 1):
        raise reader.bad("wrong_value", what="general.alignment", value=str(value))
    return value


def _tensors(reader: Reader, count: int) -> tuple[Tensor, ...]:
    """As the file lists them: their offsets count from where the numbers begin."""
    tensors: dict[str, Tensor] = {}
    for index in range(count):
        name = reader.text(f"tensor {index + 1}", _MOST_NAME_BYTES)
        if name in tensors:
            raise reader.bad("twice", what=name)
        dimensions = reader.whole("I", name)
        if dimensions > _MOST_DIMENSIONS:
            raise reader.bad("too_large", what=name, count=dimensions)
        shape = tuple(reader.whole("Q", name) for _ in range(dimensions))
        size_bytes, kind = _size(reader, name, shape, reader.whole("I", name))
        tensors[name] = Tensor(name, shape, kind, reader.whole("Q", name), size_bytes)
    return tuple(tensors.values())


def _size(reader: Reader, name: str, shape: tuple[int, ...], number: int) -> tuple[int, str]:
    if (kind := KINDS.get(number)) is None:
        raise reader.bad("unknown_kind", what=name, kind=number)
    count = 1
    for length in shape:
        count *= length
    row = shape[0] if shape else 1
    if max(count, *shape, 0) > _LARGEST_COUNT or row % kind.block:
        raise reader.bad("wrong_shape", what=name, shape=shape, kind=kind.name)
    return count // kind.block * kind.block_bytes, kind.name


def _placed(
    reader: Reader, tensors: tuple[Tensor, ...], data_start_bytes: int, alignment: int
) -> tuple[Tensor, ...]:
    """Their offsets in the file: each right behind the one before it, the last inside."""
    placed = []
    expected = 0
    for tensor in tensors:
        name, found = tensor.name, tensor.offset_bytes
        if found != expected:
            raise reader.bad("wrong_place", what=name, found=found, expected=expected)
        begin_bytes = data_start_bytes + expected
        end_bytes = begin_bytes + tensor.size_bytes
        if end_bytes > reader.file_bytes:
            raise reader.bad(
                "cut_off", what=name, file_bytes=reader.file_bytes, needed_bytes=end_bytes
            )
        placed.append(replace(tensor, offset_bytes=begin_bytes))
        expected += _padded(tensor.size_bytes, alignment)
    return tuple(placed)


def _padded(count_bytes: int, alignment: int) -> int:
    return -(-count_bytes // alignment) * alignment

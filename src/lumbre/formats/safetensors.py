"""The header of a safetensors file, read without believing any number in it.

Source: the layout and every rule are `SafeTensors::read_metadata` and `Metadata::validate` of
safetensors/src/tensor.rs (huggingface/safetensors).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from lumbre.core.errors import BadWeights
from lumbre.core.model import Tensor
from lumbre.formats.gguf_reader import bad_weights
from lumbre.formats.json_pieces import Malformed, Pieces
from lumbre.formats.ranged import Ranged, local

_MOST_HEADER_BYTES = 100_000_000
"""Source: MAX_HEADER_SIZE of tensor.rs."""
_LENGTH_BYTES = 8
_MOST_TENSORS = 1 << 18
"""Three times the largest model's, all its files together."""
_MOST_ENTRY_CHARACTERS = 4096
_METADATA = "__metadata__"
BITS = {
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8,
    "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16,
    "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64,
    "U64": 64,
}  # fmt: skip
"""Of one number, by the name of its kind. Source: Dtype::bitsize of tensor.rs."""


@dataclass(frozen=True, slots=True)
class SafetensorsHeader:
    """Everything such a file says before its numbers begin."""

    metadata: Mapping[str, str]
    tensors: tuple[Tensor, ...]
    """In the order of their bytes."""
    data_start_bytes: int
    file_bytes: int


def read_header(path: Path) -> SafetensorsHeader:
    """The header of a safetensors file.

    Raises:
        BadWeights: not such a file, cut short, or a header that safetensors would refuse.
    """
    with local(path) as file:
        return header_from(file, path)


def header_from(file: Ranged, name: Path | str) -> SafetensorsHeader:
    """The same of a file that lies elsewhere; errors call it by `name`.

    Raises:
        BadWeights: as `read_header`, and whatever reading the file raises.
    """
    file_bytes = file.size_bytes
    if file_bytes < _LENGTH_BYTES:
        raise bad_weights(name, "ends_early", what="header")
    length_bytes = int.from_bytes(_exactly(file, 0, _LENGTH_BYTES, name), "little")
    if length_bytes > _MOST_HEADER_BYTES:
        raise bad_weights(name, "too_large", what="header", count=length_bytes)
    data_start_bytes = _LENGTH_BYTES + length_bytes
    if data_start_bytes > file_bytes:
        raise bad_weights(
            name, "cut_off", what="header", file_bytes=file_bytes, needed_bytes=data_start_bytes
        )
    pieces = _text(_exactly(file, _LENGTH_BYTES, length_bytes, name), name)
    try:
        metadata, found = _entries(pieces, name)
    except Malformed as error:
        raise _not_a_header(name, error) from error
    tensors = _placed(found, data_start_bytes, file_bytes, name)
    return SafetensorsHeader(metadata, tensors, data_start_bytes, file_bytes)


def _exactly(file: Ranged, at_bytes: int, count_bytes: int, name: Path | str) -> bytes:
    data = file.read(at_bytes, count_bytes)[:count_bytes]
    if len(data) < count_bytes:
        raise bad_weights(name, "ends_early", what="header")
    return data


def _text(data: bytes, name: Path | str) -> Pieces:
    if not data.startswith(b"{"):
        raise bad_weights(name, "safetensors.other_start")
    try:
        return Pieces(data.decode())
    except UnicodeDecodeError as error:
        raise bad_weights(name, "not_text", what="header") from error


def _not_a_header(name: Path | str, error: Malformed) -> BadWeights:
    return bad_weights(name, "safetensors.not_json", what="header", place=error.place)


def _entries(pieces: Pieces, name: Path | str) -> tuple[dict[str, str], list[Tensor]]:
    """Offsets count from where the numbers begin."""
    metadata: dict[str, str] = {}
    tensors: dict[str, Tensor] = {}
    has_metadata = False
    for key in pieces.object_keys():
        if key in tensors or (key == _METADATA and has_metadata):
            raise bad_weights(name, "twice", what=key)
        if key == _METADATA:
            has_metadata = True
            metadata = _metadata(pieces, name)
            continue
        if len(tensors) == _MOST_TENSORS:
            raise bad_weights(name, "too_large", what="tensors", count=len(tensors) + 1)
        tensors[key] = _tensor(key, pieces.value(_MOST_ENTRY_CHARACTERS), name)
    pieces.end()
    return metadata, list(tensors.values())


def _metadata(pieces: Pieces, name: Path | str) -> dict[str, str]:
    found: dict[str, str] = {}
    if pieces.is_null():
        return found
    for key in pieces.object_keys():
        if key in found:
            raise bad_weights(name, "twice", what=f"{_METADATA}.{key}")
        found[key] = pieces.text()
    return found


def _tensor(key: str, entry: object, name: Path | str) -> Tensor:
    if not isinstance(entry, dict):
        raise bad_weights(name, "wrong_value", what=key, value=str(entry))
    kind = entry.get("dtype")
    if not isinstance(kind, str) or kind not in BITS:
        raise bad_weights(name, "unknown_kind", what=key, kind=str(kind))
    shape, offsets = entry.get("shape"), entry.get("data_offsets")
    if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2:
        raise bad_weights(name, "wrong_value", what=key, value=f"{shape} {offsets}")
    begin, end = offsets
    bits = BITS[kind]
    for length in shape:
        bits *= length
    if (end - begin) * 8 != bits:
        found, expected = end - begin, -(-bits // 8)
        raise bad_weights(name, "safetensors.wrong_span", what=key, found=found, expected=expected)
    return Tensor(key, tuple(shape), kind, begin, end - begin)


def _placed(
    found: list[Tensor], data_start_bytes: int, file_bytes: int, name: Path | str
) -> tuple[Tensor, ...]:
    """Their offsets in the file: each right behind the one before it, the last at its end."""
    placed = []
    expected = 0
    for tensor in sorted(found, key=lambda tensor: (tensor.offset_bytes, tensor.size_bytes)):
        if tensor.offset_bytes != expected:
            raise bad_weights(
                name, "wrong_place", what=tensor.name, found=tensor.offset_bytes, expected=expected
            )
        begin_bytes = data_start_bytes + expected
        end_bytes = begin_bytes + tensor.size_bytes
        if end_bytes > file_bytes:
            raise bad_weights(
                name, "cut_off", what=tensor.name, file_bytes=file_bytes, needed_bytes=end_bytes
            )
        placed.append(
            Tensor(tensor.name, tensor.shape, tensor.kind, begin_bytes, tensor.size_bytes)
        )
        expected += tensor.size_bytes
    if data_start_bytes + expected != file_bytes:
        left_bytes = file_bytes - data_start_bytes - expected
        raise bad_weights(name, "safetensors.left_over", left_bytes=left_bytes)
    return tuple(placed)


def _are_counts(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(
        type(item) is int and 0 <= item < 2**63 for item in value
    )

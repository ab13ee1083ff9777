"""Keep arrays in a file that is mapped, not read: derived, so damaged or deleted does no harm.

The file is a checksum of the rest, a line of JSON (names, types, shapes, facts) and the
arrays, each at a multiple of 64 bytes. It is written beside its name and put in place whole;
who has mapped the one before keeps it. Nothing waits for the disk: what a power cut leaves is
told by the checksum.
"""

import fcntl
import json
import mmap
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FORMAT = 1
_ALIGNED_BYTES = 64
_CHECKSUM = 8
"""Digits."""
_LONGEST_HEADER_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Mapped:
    """What stands in a file."""

    facts: Mapping[str, Any]
    arrays: "Mapping[str, NDArray[Any]]"
    """Read-only views of the file, or of memory where it could not be written."""
    pages: mmap.mmap | None

    def rest(self) -> None:
        """Give the memory back; the next look reads from the system's cache, or the disk."""
        if self.pages is not None and hasattr(mmap, "MADV_DONTNEED"):
            self.pages.madvise(mmap.MADV_DONTNEED)


def read(path: Path) -> Mapped | None:
    """Map a file; None when there is none, or it is not what was written."""
    try:
        with path.open("rb") as file:
            header = file.readline(_LONGEST_HEADER_BYTES)
            pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return None
    try:
        if crc32(memoryview(pages)[_CHECKSUM:]) != int(header[:_CHECKSUM], 16):
            return None
        told = json.loads(header[_CHECKSUM:])
        if told["format"] != _FORMAT:
            return None
        body = memoryview(pages)[_aligned(len(header)) :]
        found = Mapped(told["facts"], _views(body, told["arrays"]), pages)
    except (ValueError, KeyError, TypeError):
        return None
    found.rest()
    return found


def write(path: Path, facts: Mapping[str, Any], arrays: "Mapping[str, NDArray[Any]]") -> Mapped:
    """Put arrays in a file for its owner alone and map it.

    Where that cannot be (a full disk, another process at it) they stay in memory.
    """
    with suppress(OSError):
        _write(path, facts, arrays)
        if (found := read(path)) is not None and found.facts == facts:
            return found
    return Mapped(facts, arrays, None)


def _write(path: Path, facts: Mapping[str, Any], arrays: "Mapping[str, NDArray[Any]]") -> None:
    told: list[list[Any]] = []
    bodies: list[memoryview | bytes] = []
    at = 0
    for name, array in arrays.items():
        told.append([name, array.dtype.str, list(array.shape), at])
        body = _body(array)
        bodies += [body, bytes(_aligned(len(body)) - len(body))]
        at += _aligned(len(body))
    line = json.dumps({"format": _FORMAT, "facts": facts, "arrays": told}).encode() + b"\n"
    bodies[:0] = [line, bytes(_aligned(_CHECKSUM + len(line)) - _CHECKSUM - len(line))]
    checksum = 0
    for part in bodies:
        checksum = crc32(part, checksum)
    beside = path.with_name(f"{path.name}.new")
    flags = os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(beside, flags, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file.fileno()).st_ino != beside.stat().st_ino:
            raise BlockingIOError  # another has just put this very file in place
        try:
            file.truncate(0)
            file.write(f"{checksum:0{_CHECKSUM}x}".encode())
            for part in bodies:
                file.write(part)
            file.flush()
            beside.replace(path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise


def _body(array: "NDArray[Any]") -> memoryview:
    import numpy as np

    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _views(body: memoryview, told: list[Any]) -> "dict[str, NDArray[Any]]":
    import numpy as np

    found = {}
    for name, kind, shape, at in told:
        size = np.dtype(kind).itemsize * int(np.prod(shape))
        found[name] = np.frombuffer(body[at : at + size], kind).reshape(shape)
    return found


def _aligned(size: int) -> int:
    return -(-size // _ALIGNED_BYTES) * _ALIGNED_BYTES

"""Which processor a program or library is made for, and which libraries it needs."""

import struct
from dataclasses import dataclass
from pathlib import Path

_MACHINES = {
    3: "i686", 21: "ppc64le", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64",
}  # fmt: skip
"""Source: elf.h, e_machine."""
_LOAD, _DYNAMIC = 1, 2
_NEEDED, _STRTAB = 1, 5
_MOST_HEADERS, _MOST_ENTRIES, _MOST_NAME = 256, 4096, 512
_OTHERS = {
    b"MZ": "windows",
    b"\xcf\xfa\xed\xfe": "darwin",
    b"\xca\xfe\xba\xbe": "darwin",
    b"\xce\xfa\xed\xfe": "darwin",
}


@dataclass(frozen=True, slots=True)
class Binary:
    """A file of machine code."""

    system: str
    """linux, darwin or windows."""
    processor: str
    """As `platform.machine()` names it; empty where this reader does not look."""
    needed: tuple[str, ...] = ()
    """Libraries by name, Linux only."""


def read_binary(path: Path) -> Binary | None:
    """What it is; None when it is no machine code, or damaged.

    Source: elf(5).
    """
    with path.open("rb") as file:
        head = file.read(64)
        for magic, system in _OTHERS.items():
            if head.startswith(magic):
                return Binary(system, "")
        if head[:4] != b"\x7fELF" or len(head) < 64:
            return None
        if head[4] != 2 or head[5] != 1:  # not 64 bits, or not little-endian
            return Binary("linux", "32 bits" if head[4] == 1 else "big-endian")
        (machine,) = struct.unpack_from("<H", head, 18)
        processor = _MACHINES.get(machine, f"machine {machine}")
        (start,) = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        try:
            needed = _needed(file, start, size, min(count, _MOST_HEADERS))
        except (struct.error, OSError, OverflowError, ValueError):
            needed = ()
        return Binary("linux", processor, needed)


def _needed(file: object, start: int, size: int, count: int) -> tuple[str, ...]:
    def at(offset: int, length: int) -> bytes:
        file.seek(offset)  # type: ignore[attr-defined]
        return bytes(file.read(length))  # type: ignore[attr-defined]

    headers = [struct.unpack("<IIQQQQ", at(start + n * size, 40)) for n in range(count)]
    loads = [(h[3], h[2], h[5]) for h in headers if h[0] == _LOAD]
    dynamic = next(((h[2], h[5]) for h in headers if h[0] == _DYNAMIC), None)
    if dynamic is None:
        return ()
    table = at(dynamic[0], min(dynamic[1], 16 * _MOST_ENTRIES))
    entries = [struct.unpack_from("<QQ", table, n) for n in range(0, len(table) - 15, 16)]
    strings = next((value for tag, value in entries if tag == _STRTAB), None)
    if strings is None:
        return ()
    offset = next((strings - a + o for a, o, length in loads if a <= strings < a + length), strings)
    names = [at(offset + value, _MOST_NAME) for tag, value in entries if tag == _NEEDED]
    return tuple(name.partition(b"\0")[0].decode(errors="replace") for name in names)

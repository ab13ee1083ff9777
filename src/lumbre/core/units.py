"""Sizes as people write them, and back: "12 GiB", "800 MB", 512."""

import re
from decimal import Decimal

_UNITS: dict[str, int] = {"": 1, "b": 1} | {
    f"{prefix}{suffix}": base**power
    for power, prefix in enumerate("kmgt", start=1)
    for suffix, base in (("b", 1000), ("ib", 1024))
}
_SIZE = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*([A-Za-z]*)\s*", re.ASCII)


def parse_bytes(text: str) -> int:
    """Bytes written as a number and a unit (B, kB, MB, GB, TB or KiB, MiB, GiB, TiB).

    Raises:
        ValueError: not a size.
    """
    match = _SIZE.fullmatch(text)
    if not match or match[2].lower() not in _UNITS:
        raise ValueError(f"{text!r} is not a size: write it as 512 MiB or 1.5 GB")
    return round(Decimal(match[1].replace(",", ".")) * _UNITS[match[2].lower()])


def print_bytes(count_bytes: int) -> str:
    """The shortest exact way to write a number of bytes; `parse_bytes` reads it back."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        scale = _UNITS[unit.lower()]
        if count_bytes and count_bytes % scale == 0:
            return f"{count_bytes // scale} {unit}"
    return f"{count_bytes} B"

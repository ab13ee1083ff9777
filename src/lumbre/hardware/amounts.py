"""Amounts as a machine's description has them: 12 GiB, 504 GB/s, 29.1 TFLOPS, PCIe 4.0 x16."""

import math
import re

from lumbre.core.units import parse_bytes
from lumbre.hardware.pcie import link_bytes_per_s

_FLOPS = re.compile(r"\s*(\d{1,20}(?:[.,]\d{1,20})?)\s*([kMGTPE]?)FLOPS?/?s?\s*", re.ASCII)
_PREFIX = {prefix: 1000.0**power for power, prefix in enumerate(("", *"kMGTPE"))}
_PCIE = re.compile(r"\s*PCIe\s*(\d)(?:\.0)?\s*x(\d{1,2})\s*", re.ASCII | re.IGNORECASE)


def read_size(value: object) -> int:
    """Bytes, from a whole number of them or text.

    Raises:
        ValueError: not a size.
    """
    if isinstance(value, str):
        return parse_bytes(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(value)


def read_rate(value: object) -> float:
    """Bytes in one second, from a number of them or text.

    Raises:
        ValueError: not a rate.
    """
    if isinstance(value, str):
        size, slash, second = value.rpartition("/")
        if not slash or second.strip() != "s":
            raise ValueError(value)
        return float(parse_bytes(size))
    return _number(value)


def read_compute(value: object) -> float:
    """Operations in one second, from a number of them or text.

    Raises:
        ValueError: neither.
    """
    if not isinstance(value, str):
        return _number(value)
    match = _FLOPS.fullmatch(value)
    if not match:
        raise ValueError(value)
    return float(match[1].replace(",", ".")) * _PREFIX[match[2]]


def read_link(value: object) -> float:
    """Bytes in one second, from a rate or from a PCI Express generation and width.

    Raises:
        ValueError: neither, or no such generation or width.
    """
    match = _PCIE.fullmatch(value) if isinstance(value, str) else None
    if not match:
        return read_rate(value)
    found = link_bytes_per_s(int(match[1]), int(match[2]))
    if found is None:
        raise ValueError(value)
    return found


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(value)
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError(value) from error
    if not math.isfinite(number):
        raise ValueError(value)
    return number

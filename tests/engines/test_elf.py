"""A binary says for which machine it is; a damaged one says nothing, and does no harm."""

import struct
import sys
from pathlib import Path

import pytest
import xllamacpp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lumbre.engines.elf import Binary, read_binary


@pytest.mark.skipif(sys.platform != "linux", reason="ELF is Linux's")
def test_a_real_library_names_its_processor_and_what_it_needs() -> None:
    import platform

    library = next(Path(str(xllamacpp.__file__)).parent.glob("*.so"))
    found = read_binary(library)
    assert found is not None
    assert (found.system, found.processor) == ("linux", platform.machine())
    assert "libc.so.6" in found.needed
    assert all(name.startswith(("lib", "ld-")) for name in found.needed)


def header(machine: int, bits: int = 2, order: int = 1) -> bytes:
    head = bytearray(64)
    head[:6] = b"\x7fELF" + bytes([bits, order])
    struct.pack_into("<H", head, 18, machine)
    return bytes(head)


@pytest.mark.parametrize(
    ("raw", "binary"),
    [
        (header(183), Binary("linux", "aarch64")),
        (header(62), Binary("linux", "x86_64")),
        (header(3, bits=1), Binary("linux", "32 bits")),
        (header(22, order=2), Binary("linux", "big-endian")),
        (b"MZ" + bytes(100), Binary("windows", "")),
        (b"\xcf\xfa\xed\xfe" + bytes(100), Binary("darwin", "")),
        (b"#!/bin/sh\n", None),
        (b"", None),
    ],
)
def test_others_are_told_apart(tmp_path: Path, raw: bytes, binary: Binary | None) -> None:
    path = tmp_path / "file"
    path.write_bytes(raw)
    assert read_binary(path) == binary


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.binary(max_size=400), st.integers(0, 2**64 - 1), st.integers(0, 65535))
def test_no_header_is_too_wild(tmp_path: Path, rest: bytes, offset: int, count: int) -> None:
    head = bytearray(header(62))
    struct.pack_into("<Q", head, 32, offset)
    struct.pack_into("<HH", head, 54, count, count)
    path = tmp_path / "wild"
    path.write_bytes(bytes(head) + rest)
    found = read_binary(path)
    assert found is not None
    assert found.processor == "x86_64"

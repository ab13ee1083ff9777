"""A file's name tells what is in it, and never more than it does."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.engines.naming import fits, read_name, row_for
from lumbre.engines.system import System
from tests.engines.conftest import LINUX

V = "xllamacpp-2026.10.11549-cp310-abi3"


@pytest.mark.parametrize(
    ("name", "row", "fitting"),
    [
        (f"{V}-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", None, True),
        (f"cu128/{V}-manylinux_2_35_x86_64.whl", "cuda-12", True),
        (f"cu132/{V}-manylinux_2_35_x86_64.whl", "cuda-13", True),
        (f"cu128/{V}-manylinux_2_39_x86_64.whl", "cuda-12", False),
        (f"rocm-7.2.4/{V}-manylinux_2_35_x86_64.whl", "rocm-7", True),
        (f"rocm-6.4.1/{V}-manylinux_2_35_x86_64.whl", "rocm-6", True),
        (f"vulkan/{V}-manylinux_2_35_aarch64.whl", "vulkan", False),
        (f"{V}-macosx_11_0_arm64.whl", None, False),
        (f"{V}-win_amd64.whl", None, False),
        ("xllamacpp-2026.10.11549-cp39-cp39-manylinux_2_17_x86_64.whl", None, False),
        ("xllamacpp-2026.10.11549-cp311-cp311-manylinux_2_17_x86_64.whl", None, True),
        ("llama-b11669-bin-ubuntu-x64.tar.gz", "server-cpu", True),
        ("llama-b3952-bin-ubuntu-x64.zip", "server-cpu", True),
        ("llama-b11669-bin-ubuntu-arm64.tar.gz", "server-cpu", False),
        ("llama-b11669-bin-ubuntu-s390x.tar.gz", "server-cpu", False),
        ("llama-b11669-bin-ubuntu-vulkan-x64.tar.gz", "server-vulkan", True),
        ("llama-b11669-bin-ubuntu-rocm-7.2-x64.tar.gz", "server-rocm-7", True),
        ("llama-b11669-bin-macos-arm64.tar.gz", None, False),
        ("llama-b11669-bin-win-cuda-12.4-x64.zip", None, False),
        ("llama-b11669-bin-android-arm64.tar.gz", None, False),
        ("my-llama-cuda-build.tar.gz", None, True),
    ],
)
def test_what_a_name_says(name: str, row: str | None, fitting: bool) -> None:
    named = read_name(PurePosixPath("/downloads") / name)
    assert named is not None
    found = row_for(named)
    assert (found.name if found else None) == row
    assert fits(named, LINUX) == fitting


@pytest.mark.parametrize(
    "name",
    [
        "notes.zip", "llama.pdf", "numpy-2.0-cp311-cp311-manylinux_2_17_x86_64.whl",
        "xllamacpp.whl", "llama-b1-xcframework", "cudart-llama-bin-win-cuda-12.4-x64.zip",
    ],
)  # fmt: skip
def test_other_files_are_not_looked_into(name: str) -> None:
    assert read_name(PurePosixPath(name)) is None


def test_a_mac_takes_its_own() -> None:
    mac = System(name="darwin", processor="arm64")
    for name in ("llama-b1000-bin-macos-arm64.tar.gz", f"{V}-macosx_11_0_arm64.whl"):
        named = read_name(PurePosixPath(name))
        assert named is not None
        assert fits(named, mac)
        assert not fits(named, LINUX)


@given(st.text(max_size=80), st.sampled_from(["", ".whl", ".tar.gz", ".zip"]))
def test_no_name_is_too_odd(name: str, ending: str) -> None:
    named = read_name(PurePosixPath(name + ending))
    if named is not None:
        assert fits(named, LINUX) in (True, False)
        row_for(named)

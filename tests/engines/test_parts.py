"""Libraries beside a build are loaded before it; one of no use is told of, the rest goes on."""

import ctypes.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lumbre.engines.catalogue import Build, build
from lumbre.engines.parts import bundle, missing
from lumbre.workers.libraries import load_beside

LOAD = """
import sys
from pathlib import Path
from lumbre.workers.libraries import load_beside
print(load_beside(Path(sys.argv[1])))
print(sys.argv[1] in Path("/proc/self/maps").read_text())
"""


def cuda() -> Build:
    row = build("cuda-12")
    assert row is not None
    return row


def wheel(folder: Path, package: str, member: str) -> Path:
    path = folder / f"{package}-12.8.90-py3-none-manylinux2014_x86_64.whl"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(member, b"library")
    return path


def test_a_build_gets_the_libraries_it_needs_and_no_others(tmp_path: Path) -> None:
    files = [
        wheel(tmp_path, "nvidia_cuda_runtime_cu12", "nvidia/cuda_runtime/lib/libcudart.so.12"),
        wheel(tmp_path, "nvidia_cuda_runtime", "nvidia/cu13/lib/libcudart.so.13"),
        wheel(tmp_path, "nvidia_cublas_cu12", "nvidia/cublas/lib/libcublas.so.12"),
        wheel(tmp_path, "nvidia_nccl_cu12", "nvidia/nccl/lib/libnccl.so.2"),
    ]
    new = tmp_path / "new"
    used = bundle(cuda(), files, new, lambda *told: pytest.fail(str(told)))
    assert used == (files[0].name, files[2].name)
    assert sorted(path.name for path in new.rglob("*.so*")) == [
        "libcublas.so.12",
        "libcudart.so.12",
    ]
    assert bundle(build("cpu"), files, tmp_path / "other", print) == ()
    assert not (tmp_path / "other").exists()


def test_a_hostile_one_is_told_of_and_the_rest_goes_on(tmp_path: Path) -> None:
    hostile = wheel(tmp_path, "nvidia_cuda_runtime_cu12", "../../libcudart.so.12")
    good = wheel(tmp_path, "nvidia_cublas_cu12", "nvidia/cublas/lib/libcublas.so.12")
    told: list[tuple[Path, str]] = []
    used = bundle(
        cuda(), [hostile, good], tmp_path / "new", lambda path, why: told.append((path, str(why)))
    )
    assert used == (good.name,)
    assert told[0][0] == hostile
    assert "outside its folder" in told[0][1]


def test_what_a_system_lacks_is_known_without_its_being_installed() -> None:
    row = Build(
        name="x", form="wheel", device="cuda", system="linux", processors=("x86_64",), names=("x",),
        libraries=(("libc.so.6", "no-need"), ("libnowhere.so.99", "some-package==1.*")),
    )  # fmt: skip
    assert missing(row) == ("some-package==1.*",)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_they_are_loaded_from_beside_the_engine_whatever_the_order(tmp_path: Path) -> None:
    folder = tmp_path / "libraries" / "deep" / "lib"
    folder.mkdir(parents=True)
    library = ctypes.util.find_library("z")
    places = [Path(place) for place in ("/lib", "/usr/lib") if Path(place).is_dir()]
    found = next((p for place in places for p in place.rglob(library or "?")), None)
    if found is None:
        pytest.skip("no libz at hand to stand for a library")
    shutil.copy(found.resolve(), folder / "libz.so.1")
    (folder / "broken.so").write_bytes(b"no library")
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["('libz.so.1',)", "True"]


def test_an_engine_with_none_beside_it_loads_none(tmp_path: Path) -> None:
    assert load_beside(tmp_path) == ()

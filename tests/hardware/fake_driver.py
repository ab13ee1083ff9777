"""A machine with a library of NVIDIA's driver that does what it is told."""

import shutil
import subprocess
from pathlib import Path

import pytest


def make_library(folder: Path) -> Path:
    """Compile `fake_nvml.c` into a folder for LD_LIBRARY_PATH; FAKE_NVML is its mood."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler to make a driver's library with")
    source = Path(__file__).with_name("fake_nvml.c")
    target = folder / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", target, source], check=True)
    return folder


def plug_in(root: Path) -> None:
    """The sign by which a running driver is known."""
    (root / "dev").mkdir(parents=True)
    (root / "dev/nvidiactl").touch()

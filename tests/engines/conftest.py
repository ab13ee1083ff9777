"""Machines that are described, and a real wheel made of the package that is installed."""

import importlib.metadata
import os
import zipfile
from pathlib import Path

import pytest

from lumbre.core.machine import CPU, Device, Host
from lumbre.engines.install import Machine
from lumbre.engines.system import System, this_system

GIB = 2**30


def card(number: int, capability: str | None = "8.6", kind: str = "cuda") -> Device:
    return Device(
        id=f"gpu{number}", kind=kind, name=f"card {number}", total_bytes=8 * GIB,  # type: ignore[arg-type]
        free_bytes=8 * GIB, compute_capability=capability,
    )  # fmt: skip


def host(*cards: Device, cuda: str | None = None, instructions: tuple[str, ...] = ()) -> Host:
    memory = Device(id=CPU, kind="cpu", name="p", total_bytes=GIB, free_bytes=GIB)
    return Host(
        name="m", devices=(memory, *cards), cores=4, architecture="x86_64",
        instruction_sets=instructions, cuda=cuda,
    )  # fmt: skip


LINUX = System(name="linux", processor="x86_64", glibc="2.36")


@pytest.fixture(scope="session")
def machine() -> Machine:
    """This one, without cards."""
    return Machine(host(), this_system())


@pytest.fixture(scope="session")
def llama_server() -> str:
    """A llama-server program: a build of llama.cpp that is not ours."""
    program = os.environ.get("LUMBRE_TEST_LLAMA_SERVER")
    if not program:
        pytest.skip("LUMBRE_TEST_LLAMA_SERVER is not set: no llama-server at hand")
    return program


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that our own xllamacpp was installed from, packed again, file by file."""
    package = importlib.metadata.distribution("xllamacpp")
    tags = [
        line.partition(": ")[2].partition("-")
        for line in (package.read_text("WHEEL") or "").splitlines()
        if line.startswith("Tag: ")
    ]
    abi = tags[0][2].partition("-")[0]
    platforms = ".".join(tag[2].partition("-")[2] for tag in tags)
    name = f"xllamacpp-{package.version}-{tags[0][0]}-{abi}-{platforms}.whl"
    path = tmp_path_factory.mktemp("wheels") / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as packed:
        for file in package.files or ():
            if "__pycache__" not in str(file):
                packed.write(Path(str(package.locate_file(file))), str(file))
    return path

"""Shared by all tests: real weights, an empty home, and no packet beyond this machine."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from lumbre.config import Folders
from tests.guard import local_only

_WEIGHTS = Folders.of(os.environ).weights
"""Where the person who runs the tests keeps weights: read here, never written."""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def _weights(name: str) -> Path:
    path = _WEIGHTS / name
    if not path.is_file():
        pytest.skip(f"{name} is not in {_WEIGHTS}: `make weights` fetches it")
    return path


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """SmolLM2-135M-Instruct Q4_1: real, small, English only."""
    return _weights("SmolLM2-135M-Instruct.Q4_1.gguf")


@pytest.fixture(scope="session")
def qwen() -> Path:
    """Qwen2.5-Coder-1.5B-Instruct Q4_K_M: the starter household's primary."""
    return _weights("qwen2.5-coder-1.5b-instruct-q4_k_m.gguf")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Public data for tests, where the person who runs them has it."""
    folder = os.environ.get("LUMBRE_TEST_DATA")
    if not folder:
        pytest.skip("LUMBRE_TEST_DATA is not set: no public test data at hand")
    return Path(folder)


@pytest.fixture(scope="session")
def examples() -> Path:
    return Path(__file__).parents[1] / "examples"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty LUMBRE_HOME."""
    return tmp_path / "home"


@pytest.fixture
def lumbre(home: Path) -> Iterator[Run]:
    """The real command line in an empty home with the real weights; its household ends after."""

    def run(
        *arguments: str, text: str | None = None, timeout_s: float = 120, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "lumbre", *arguments],
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=environment_of(home, **environment),
            check=False,
        )

    yield run
    if home.exists():
        stopped = run("stop")
        assert stopped.returncode == 0, stopped.stderr
    assert not _living_in(home), "a process of this test has outlived it"


def _living_in(home: Path) -> list[str]:
    """The command lines of processes whose LUMBRE_HOME this is."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("LUMBRE_HOME") == str(home):
                found.append(" ".join(process.cmdline()))
    return found


def environment_of(home: Path, **more: str) -> dict[str, str]:
    """What a person's shell would have, with a home of its own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LUMBRE_", "LC_", "LANG"))
    }
    return (
        kept
        | {
            "LUMBRE_HOME": str(home),
            "LUMBRE_MODELS": str(_WEIGHTS),
            "LUMBRE_WORKER__PROMPT_THREADS": "1",
            "LANG": "en_US.UTF-8",
        }
        | more
    )


@pytest.fixture(autouse=True)
def _stay_on_this_machine(request: pytest.FixtureRequest) -> Iterator[None]:
    """A socket beyond loopback, here or in any child, fails the test that opened it."""
    if request.node.get_closest_marker("network"):
        with local_only.lifted():
            yield
        return
    yield
    seen = local_only.seen()
    local_only.forget()
    assert not seen, f"a socket was opened beyond this machine: {seen}"


def pytest_configure(config: pytest.Config) -> None:
    local_only.install_here_and_in_children()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of three megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:  # noqa: PLW1510
        pytest.skip("a file system may not be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)

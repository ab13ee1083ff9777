"""One household per home: started by who needs it, shared, gone without a trace at its end."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import Run, environment_of

TINY = {"LUMBRE_LLM__PRIMARY__ID": "smollm2-135m-instruct-q4_1"}
NOTE = "The boat is called Golondrina. It was painted green in 2019.\n"


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "boat.txt").write_text(NOTE, encoding="utf-8")
    return folder


@pytest.fixture
def tiny(lumbre: Run, smollm2: Path) -> Run:
    """The command line with the smallest household."""

    def run(*arguments: str, **more: Any) -> "subprocess.CompletedProcess[str]":
        return lumbre(*arguments, **(TINY | more))

    return run


def note(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "household.json").read_text())
    return found


def below(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that only waits to be reaped has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def started(home: Path, *arguments: str, **more: str) -> Iterator["subprocess.Popen[str]"]:
    """A command that goes on while the test does something else."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lumbre", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment_of(home, **(TINY | more)),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(condition: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    """Until it holds; the test's own time limit is the only clock."""
    while not condition():
        assert process.poll() is None, process.communicate()
        os.sched_yield()


def is_answering(home: Path) -> bool:
    """Whether a chat worker has a lease now."""
    seen = subprocess.run(
        [sys.executable, "-m", "lumbre", "ps", "--json"],
        capture_output=True,
        text=True,
        env=environment_of(home, **TINY),
        check=False,
    )
    models = json.loads(seen.stdout or '{"models": []}')["models"]
    return any(model["leases"] and model["role"] == "primary" for model in models)


def test_the_second_command_finds_the_models_warm(tiny: Run, home: Path, documents: Path) -> None:
    assert tiny("docs", "add", str(documents)).returncode == 0
    first = note(home)["pid"]
    for _ in range(2):
        answered = tiny("ask", "What is the boat called?", "--json")
        assert answered.returncode == 0, answered.stderr
    assert note(home)["pid"] == first
    seen = json.loads(tiny("ps", "--json").stdout)
    loads = {model["id"]: model["loads"] for model in seen["models"]}
    assert loads == {"use-multilingual-v3": 1, "smollm2-135m-instruct-q4_1": 1}
    assert json.loads(answered.stdout)["timing"]["load_s"] == 0


def test_docs_add_opens_the_embedding_alone(tiny: Run, documents: Path) -> None:
    tiny("docs", "add", str(documents))
    models = json.loads(tiny("ps", "--json").stdout)["models"]
    assert [model["role"] for model in models] == ["embedding"]


def test_looking_starts_nothing(tiny: Run, home: Path) -> None:
    assert json.loads(tiny("ps", "--json").stdout)["household"] is None
    assert tiny("stop").returncode == 0
    assert not (home / "run" / "household.sock").exists()


def test_its_door_is_open_to_its_owner_alone(tiny: Run, home: Path) -> None:
    tiny("docs", "list")
    door = home / "run" / "household.sock"
    assert door.is_socket()
    assert door.stat().st_mode & 0o777 == 0o600
    assert (home / "run").stat().st_mode & 0o077 == 0


def test_stop_leaves_no_process_no_socket_and_no_note(
    tiny: Run, home: Path, documents: Path
) -> None:
    tiny("docs", "add", str(documents))
    pid = note(home)["pid"]
    everyone = [pid, *(worker.pid for worker in below(pid))]
    assert tiny("stop").returncode == 0
    assert all(is_gone(pid) for pid in everyone)
    assert not (home / "run" / "household.sock").exists()
    assert not (home / "household.json").exists()


def test_it_ends_by_itself_when_nobody_wants_anything(tiny: Run, home: Path) -> None:
    tiny("docs", "list", LUMBRE_HOUSEHOLD__IDLE_S="1")
    pid = note(home)["pid"]
    while not is_gone(pid):
        os.sched_yield()
    assert json.loads(tiny("ps", "--json").stdout)["household"] is None


def test_it_does_not_end_in_the_middle_of_an_answer(tiny: Run, home: Path, documents: Path) -> None:
    tiny("docs", "add", str(documents))
    tiny("stop")
    slow = {"LUMBRE_HOUSEHOLD__IDLE_S": "0.05", "LUMBRE_ANSWERS__MAX_OUTPUT_TOKENS": "150"}
    answered = tiny("ask", "What is the boat called?", "--json", **slow)
    assert answered.returncode == 0, answered.stderr
    assert json.loads(answered.stdout)["timing"]["total_s"] > 0.05


def test_killed_with_9_it_takes_its_models_along_and_the_next_command_says_so(
    tiny: Run, home: Path, documents: Path
) -> None:
    tiny("docs", "add", str(documents))
    pid = note(home)["pid"]
    workers = below(pid)
    assert workers
    os.kill(pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(workers, timeout=2)
    # a child that has ended waits for whoever adopted it to take note
    assert not [one for one in alive if not is_gone(one.pid)]
    told = tiny("docs", "list", "--json", "--lang", "es")
    assert told.returncode == 0
    assert f"pid {pid}" in told.stderr
    assert "inesperada" in told.stderr
    kept = home / "logs" / "household.log.1"
    assert str(kept) in told.stderr
    assert kept.exists()
    assert len(json.loads(told.stdout)) == 1
    assert "inesperada" not in tiny("docs", "list", "--lang", "es").stderr


def test_told_to_end_by_the_system_it_ends_cleanly(tiny: Run, home: Path) -> None:
    tiny("docs", "list")
    pid = note(home)["pid"]
    os.kill(pid, signal.SIGTERM)
    while not is_gone(pid):
        os.sched_yield()
    assert tiny("docs", "list").stderr == "No documents yet: lumbre docs add FOLDER\n"


def test_a_home_that_was_deleted_gets_a_household_of_its_own(tiny: Run, home: Path) -> None:
    tiny("docs", "list", LUMBRE_HOUSEHOLD__IDLE_S="2")
    old = note(home)["pid"]
    shutil.rmtree(home)
    tiny("docs", "list")
    new = note(home)["pid"]
    assert new != old
    while not is_gone(old):
        os.sched_yield()
    assert tiny("docs", "list").returncode == 0
    assert note(home)["pid"] == new


def test_a_socket_without_an_owner_is_replaced(tiny: Run, home: Path) -> None:
    (home / "run").mkdir(parents=True)
    (home / "run" / "household.sock").write_text("")
    assert tiny("docs", "list").returncode == 0


def test_two_commands_at_once_start_one_household(tiny: Run, home: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(lambda _: tiny("docs", "list", "--json"), range(4)))
    assert [run.returncode for run in done] == [0] * 4, [run.stderr for run in done]
    assert not any(run.stderr for run in done)
    pid = note(home)["pid"]
    families = [p for p in psutil.process_iter(["cmdline"]) if _serves(p, home)]
    assert [process.pid for process in families] == [pid]


def _serves(process: psutil.Process, home: Path) -> bool:
    try:
        is_household = "lumbre.server.daemon" in (process.info["cmdline"] or [])
        return is_household and process.environ().get("LUMBRE_HOME") == str(home)
    except psutil.Error:
        return False


def test_a_command_that_meets_one_that_is_ending_gets_the_next(tiny: Run, home: Path) -> None:
    for _ in range(3):
        tiny("docs", "list")
        with ThreadPoolExecutor(3) as threads:
            words = [("stop",), ("docs", "list"), ("docs", "list", "--json")]
            done = list(threads.map(lambda line: tiny(*line), words))
        assert [run.returncode for run in done] == [0, 0, 0], [run.stderr for run in done]


def test_stopping_lets_the_work_in_hand_be_finished(tiny: Run, home: Path, documents: Path) -> None:
    for number in range(12):
        (documents / f"{number}.txt").write_text(f"{NOTE}\n" * 40 + str(number))
    with started(home, "docs", "add", str(documents), "--json") as adding:
        wait_for(lambda: (home / "household.json").exists() and is_embedding(home), adding)
        assert tiny("stop").returncode == 0
        told, _ = adding.communicate(timeout=60)
        assert adding.returncode == 0
        assert [document["status"] for document in json.loads(told)] == ["indexed"] * 13


def is_embedding(home: Path) -> bool:
    """Whether documents have begun to arrive."""
    seen = subprocess.run(
        [sys.executable, "-m", "lumbre", "ps", "--json"],
        capture_output=True,
        text=True,
        env=environment_of(home, **TINY),
        check=False,
    )
    models = json.loads(seen.stdout or '{"models": []}')["models"]
    return any(model["state"] == "ready" for model in models)


def test_how_a_person_is_spoken_to_makes_no_other_household(tiny: Run, home: Path) -> None:
    tiny("docs", "list")
    pid = note(home)["pid"]
    tiny("docs", "list", LUMBRE_INTERFACE__LANGUAGE="ru")
    assert note(home)["pid"] == pid


def test_one_home_has_one_household_whatever_the_session(
    lumbre: Run, tmp_path: Path, smollm2: Path
) -> None:
    """A long home keeps its socket elsewhere, and elsewhere differs over ssh or cron."""
    home = tmp_path / ("long" * 30)
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    pids: set[int] = set()
    for more in ({}, {"XDG_RUNTIME_DIR": str(runtime)}, {}):
        done = lumbre("docs", "list", LUMBRE_HOME=str(home), **more)
        assert done.returncode == 0, done.stderr
        pids.add(note(home)["pid"])
    assert len(pids) == 1
    assert lumbre("stop", LUMBRE_HOME=str(home)).returncode == 0


def test_a_door_is_not_opened_in_a_folder_of_somebody_elses(lumbre: Run, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can make a folder that belongs to somebody else")
    from lumbre.config import Folders

    home = tmp_path / ("long" * 30)
    environment = {"LUMBRE_HOME": str(home), "TMPDIR": str(tmp_path), "XDG_RUNTIME_DIR": ""}
    shared = tmp_path / Folders.of(environment).run.name
    shared.mkdir(mode=0o777)
    os.chown(shared, 65534, 65534)
    refused = lumbre("docs", "list", **environment)
    assert refused.returncode == 1
    assert str(shared) in refused.stderr
    assert list(shared.iterdir()) == []


def test_interrupted_while_it_starts_a_command_ends_and_leaves_nothing(
    tiny: Run, home: Path
) -> None:
    tiny("init")
    with started(home, "--no-daemon", "docs", "list") as listing:
        wait_for(lambda: any((home / "run").glob("own-*.sock")), listing)
        listing.send_signal(signal.SIGINT)
        _, told = listing.communicate(timeout=60)
        assert listing.returncode == 130
        assert "Traceback" not in told
    assert list((home / "run").glob("own-*.sock")) == []


def test_serve_told_to_end_by_the_system_ends_cleanly(tiny: Run, home: Path) -> None:
    with started(home, "serve") as serving:
        assert serving.stdout is not None
        serving.stdout.readline()
        serving.send_signal(signal.SIGTERM)
        serving.communicate(timeout=60)
        assert serving.returncode == 0
    assert not (home / "household.json").exists()
    assert not (home / "run" / "household.sock").exists()


def test_without_a_daemon_nothing_is_left(tiny: Run, home: Path, documents: Path) -> None:
    done = tiny("--no-daemon", "docs", "add", str(documents), "--json")
    assert done.returncode == 0, done.stderr
    assert [document["status"] for document in json.loads(done.stdout)] == ["indexed"]
    assert list((home / "run").glob("*.sock")) == []
    assert json.loads(tiny("ps", "--json").stdout)["household"] is None


def test_other_settings_mean_another_household(tiny: Run, home: Path) -> None:
    tiny("docs", "list")
    first = note(home)["pid"]
    tiny("docs", "list", LUMBRE_ANSWERS__PASSAGES="2")
    assert note(home)["pid"] != first
    assert is_gone(first)


def test_a_household_that_dies_in_mid_answer_is_named(
    tiny: Run, home: Path, documents: Path
) -> None:
    tiny("docs", "add", str(documents))
    pid = note(home)["pid"]
    with started(home, "ask", "Tell me everything about the boat.") as asking:
        wait_for(lambda: is_answering(home), asking)
        os.kill(pid, signal.SIGKILL)
        _, told = asking.communicate(timeout=60)
        assert asking.returncode == 4
        assert f"pid {pid}" in told
        assert "hint:" in told
        assert "Traceback" not in told


def test_ctrl_c_ends_the_answer_in_the_engine_too(tiny: Run, home: Path, documents: Path) -> None:
    tiny("docs", "add", str(documents))
    with started(home, "ask", "Tell me everything about the boat.") as asking:
        wait_for(lambda: is_answering(home), asking)
        asking.send_signal(signal.SIGINT)
        _, told = asking.communicate(timeout=60)
        assert asking.returncode == 130
        assert "Traceback" not in told
    while is_answering(home):
        pass
    assert tiny("ask", "What is the boat called?").returncode == 0


def test_what_it_measures_can_be_scraped(tiny: Run, home: Path, documents: Path) -> None:
    import http.client
    import socket

    from lumbre.server.metrics import NAMES

    tiny("docs", "add", str(documents))
    tiny("ask", "What is the boat called?")
    connection = http.client.HTTPConnection("lumbre")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(home / "run" / "household.sock"))
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    for name in NAMES:
        assert f"# TYPE {name.removesuffix('_total')}" in text, name
    requests = [line for line in text.splitlines() if line.startswith("lumbre_requests_total{")]
    assert requests == [
        'lumbre_requests_total{model="smollm2-135m-instruct-q4_1",role="primary"} 1.0'
    ]


def test_what_does_not_fit_is_refused_with_the_figures(tiny: Run, documents: Path) -> None:
    tiny("docs", "add", str(documents))
    refused = tiny("ask", "What?", LUMBRE_MEMORY__MAX_RAM_GB="0.2")
    assert refused.returncode == 3, refused.stderr
    line, hint = refused.stderr.splitlines()
    assert "smollm2" in line
    assert "MB of memory" in line
    assert hint.startswith("hint: ")


def test_serve_keeps_the_eager_models_until_it_is_stopped(tiny: Run, home: Path) -> None:
    with started(home, "serve") as serving:
        assert serving.stdout is not None
        assert "household.sock" in serving.stdout.readline()

        def all_ready() -> bool:
            models = json.loads(tiny("ps", "--json").stdout)["models"]
            return [model["state"] for model in models] == ["ready", "ready"]

        wait_for(all_ready, serving)
        assert tiny("stop").returncode == 0
        assert serving.wait(30) == 0

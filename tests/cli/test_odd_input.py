"""Whatever the shell, a file's name or a document hold: one line, no traceback, no escape code."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lumbre.cli.place import absolute, shown
from lumbre.cli.render import Moving, as_json, table, visible, wrapped
from tests.conftest import Run, environment_of

ESCAPES = "\x1b]0;owned\x07\x1b[2Jred\x9b31m\x7f\x08"
TINY = {"LUMBRE_LLM__PRIMARY__ID": "smollm2-135m-instruct-q4_1"}


def shell(home: Path, line: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """A line as a person types it; `lumbre` is the program."""
    program = f'lumbre() {{ "{sys.executable}" -m lumbre "$@"; }}; {line}'
    return subprocess.run(
        ["/bin/sh", "-c", program],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment_of(home, **environment),
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("lumbre ps >&-", 0),
        ("lumbre ps 2>&-", 0),
        ("lumbre ps <&- >&- 2>&-", 0),
        ("lumbre chat <&-", 0),
        ("lumbre asc 2>&-", 2),
        ("lumbre ps --lang ru", 0),
        ("lumbre asc --lang ru", 2),
        ("lumbre --help --lang ru", 0),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_streams_that_are_closed_or_narrow_are_no_trouble(
    line: str, status: int, encoding: str, home: Path, lumbre: Run, smollm2: Path
) -> None:
    if "chat" in line and encoding != "utf-8":
        line = line.replace("chat", "docs list")
    done = shell(home, line, PYTHONIOENCODING=encoding, **TINY)
    told = done.stdout + done.stderr
    assert done.returncode == status, told
    assert b"Traceback" not in told
    assert b"Exception" not in told


def test_bad_utf_8_typed_into_a_talk_is_read_as_well_as_it_can_be(
    home: Path, lumbre: Run, smollm2: Path
) -> None:
    short = TINY | {"LUMBRE_ANSWERS__MAX_OUTPUT_TOKENS": "4"}
    done = shell(home, r"printf 'caf\351 \377\nexit\n' | lumbre chat", **short)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("verb", ["ask", "docs search"])
def test_a_question_that_is_no_text_is_refused(verb: str, home: Path, lumbre: Run) -> None:
    done = shell(home, f"lumbre {verb} \"$(printf 'caf\\351')\" --lang es")
    assert done.returncode == 2
    message, hint = done.stderr.decode().splitlines()
    assert "no es texto en UTF-8" in message
    assert hint.startswith("hint: ")


def test_lock_files_of_word_processors_are_skipped_by_their_whole_name(
    home: Path, lumbre: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~$x.txt").write_text("The boat is green.\n")
    assert absolute("~$x.txt") == str(tmp_path / "~$x.txt")
    assert absolute("~/x") == str(Path("~/x").expanduser())
    done = lumbre("docs", "add", "~$x.txt")
    assert (done.returncode, "~$x.txt  skipped" in done.stdout) == (1, True), done.stderr
    refused = lumbre("models", "add", "~nobody/x.gguf")
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 2


def test_names_that_are_no_utf_8_are_told_of_in_both_forms(
    home: Path, lumbre: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "good.txt").write_text("The boat is green.\n")
    (folder / os.fsdecode(b"caf\xe9.txt")).write_text("The car is red.\n")
    plain = lumbre("docs", "add", str(folder))
    assert plain.returncode == 0, plain.stderr
    assert "not UTF-8; rename it" in plain.stdout
    told = json.loads(lumbre("docs", "add", str(folder), "--json").stdout)
    assert [(d["status"], d["reason"]) for d in told] == [("failed", "name"), ("indexed", "")]
    line = f"lumbre docs list --docs \"$(printf '{folder}/caf\\351.txt')\""
    assert rb"caf\udce9.txt" in shell(home, line).stdout
    for status in (0, 2):
        gone = shell(home, line.replace("list --docs", "remove"))
        assert (gone.returncode, len(gone.stderr.splitlines())) == (status, status)


def test_nothing_a_terminal_obeys_comes_out_of_a_document_or_a_name(
    home: Path, lumbre: Run, tmp_path: Path
) -> None:
    path = tmp_path / f"boat{ESCAPES}\nfake.txt"
    path.write_text(f"{'The boat is green. ' * 20} It is \x1b[2J old.\n")
    for words in (
        ("docs", "add", str(path)),
        ("docs", "list"),
        ("docs", "search", "boat"),
        ("docs", "remove", str(path)),
        ("docs", "remove", str(path)),
    ):
        done = lumbre(*words)
        told = done.stdout + done.stderr
        assert "boat" in told
        assert visible(told) == told
    lumbre("docs", "add", str(path))
    raw = lumbre("docs", "list", "--json").stdout
    assert visible(raw) == raw
    assert json.loads(raw)[0]["document"] == str(path)


def test_every_way_to_the_terminal_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    assert visible("a\tb\nc") == "a\tb\nc"
    assert json.loads(as_json(ESCAPES)) == ESCAPES
    for text in (table(["a"], [[ESCAPES]]), wrapped(ESCAPES, 2), as_json(ESCAPES), shown(ESCAPES)):
        assert visible(text) == text
    assert "\n" not in shown("a\nb")
    moving = Moving(enabled=True)
    moving._begun -= 1
    moving.show("\x1b]0;owned\x07")
    assert "\x1b]" not in capsys.readouterr().err


def test_errors_break_at_words_in_a_terminal_and_nowhere_else(home: Path) -> None:
    question = [sys.executable, "-m", "lumbre", "--lang", "es", "docs", "search"]
    environment = environment_of(home, COLUMNS="30", NO_COLOR="1")
    above, below = pty.openpty()
    with os.fdopen(above, "rb", buffering=0) as terminal:
        subprocess.run([*question, "--such-an-option"], stderr=below, env=environment, check=False)
        os.close(below)
        shown = terminal.read(4096).decode().splitlines()
    assert shown == [
        "lumbre: no existe la opción",
        "  --such-an-option",
        "hint: lumbre docs search",
        "  --help",
    ]
    piped = subprocess.run(
        [*question, "--such-an-option"], capture_output=True, env=environment, check=False
    )
    assert len(piped.stderr.splitlines()) == 2


def test_ctrl_c_while_the_program_is_still_being_read_is_silent(home: Path) -> None:
    """-X importtime tells when an import is done, and so that others are still to come."""
    started = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "lumbre", "plan"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment_of(home),
    )
    assert started.stderr is not None
    while b"click" not in started.stderr.readline():
        pass
    started.send_signal(signal.SIGINT)
    shown, told = started.communicate()
    assert (started.returncode, shown) == (130, b"")
    assert {line for line in told.splitlines() if not line.startswith(b"import time:")} <= {b""}


def test_a_folder_that_was_deleted_under_ones_feet_is_named(
    home: Path, lumbre: Run, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    begin = f"mkdir '{here}' && cd '{here}' && rmdir '{here}' && "
    found = os.environ["PYTHONPATH"].split(os.pathsep)
    paths = os.pathsep.join(str(Path(path).absolute()) for path in found)
    assert shell(home, begin + "lumbre ps", PYTHONPATH=paths).returncode == 0
    done = shell(home, begin + "lumbre docs add x.txt", PYTHONPATH=paths)
    assert done.returncode == 1, done.stderr
    message, hint = done.stderr.decode().splitlines()
    assert str(here) in message
    assert hint.startswith("hint: ")


def test_settings_that_are_a_folder_are_named(home: Path, lumbre: Run) -> None:
    (home / "config.toml").mkdir(parents=True)
    done = lumbre("ps")
    message, hint = done.stderr.splitlines()
    assert done.returncode == 2
    assert str(home / "config.toml") in message
    assert hint == "hint: lumbre doctor"
    (home / "config.toml").rmdir()


def test_a_disk_that_fills_up_costs_only_what_did_not_fit(
    small_disk: Path, lumbre: Run, tmp_path: Path
) -> None:
    small, large = tmp_path / "small.txt", tmp_path / "large.txt"
    small.write_text("The boat is green.\n")
    large.write_text(" ".join(f"Line {n} tells of {n * 7919}." for n in range(3000)))
    there = {"LUMBRE_HOME": str(small_disk)}
    try:
        assert lumbre("docs", "add", str(small), **there).returncode == 0
        done = lumbre("docs", "add", str(large), **there)
        message, hint = done.stderr.splitlines()
        assert done.returncode == 1
        assert "lumbre.db" in message
        assert "free some space" in hint
        assert "green" in lumbre("docs", "search", "boat", **there).stdout
        (listed,) = json.loads(lumbre("docs", "list", "--json", **there).stdout)
        assert listed["document"] == str(small)
    finally:
        assert lumbre("stop", **there).returncode == 0


def test_what_the_system_refuses_is_one_line_with_the_file(home: Path, lumbre: Run) -> None:
    """A log that is a folder: nobody foresaw it, and it is still said."""
    (home / "logs" / "household.log").mkdir(parents=True)
    done = lumbre("docs", "list")
    message, hint = done.stderr.splitlines()
    assert done.returncode == 1
    assert str(home / "logs" / "household.log") in message
    assert hint.startswith("hint: ")

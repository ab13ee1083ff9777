"""In a real terminal `top` lives, follows what happens, and leaves everything as it was."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import Library
from tests.cli.terminal import TINY, Size, Terminal, terminal
from tests.conftest import Run

TINIEST = TINY["LUMBRE_LLM__PRIMARY__ID"]
IN, OUT = "\x1b[?1049h", "\x1b[?1049l"
SHOW_CURSOR = "\x1b[?25h"
COLOUR = re.compile(r"\x1b\[[0-9;]*?(?:3[0-7]|4[0-7])[0-9;]*m")


@pytest.fixture(scope="module")
def loaded(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A household with the smallest model loaded, for tests that only look."""
    folder = tmp_path_factory.mktemp("loaded")
    made = Library(folder / "home", folder / "papers")
    assert made("load", "primary", **TINY).returncode == 0
    yield made
    assert made("stop").returncode == 0


def left_as_it_was(t: Terminal) -> None:
    assert t.seen.count(IN) == t.seen.count(OUT) == 1
    assert t.seen.rindex(SHOW_CURSOR) > t.seen.index(IN)
    assert t.is_cooked()
    assert "Traceback" not in t.seen


def test_it_waits_for_a_household_follows_it_and_ends_with_q(
    lumbre: Run, home: Path, smollm2: Path
) -> None:
    with terminal(home, "top", size=Size(100, 30)) as t:
        t.wait_for("Nothing is running.")
        assert not t.is_cooked()
        assert lumbre("load", "primary", **TINY).returncode == 0
        t.wait_for(TINIEST)
        t.wait_for("ready")
        assert lumbre("unload", "primary", **TINY).returncode == 0
        t.wait_for("unloaded by hand")
        assert lumbre("stop", **TINY).returncode == 0
        t.wait_for("Nothing is running.")
        t.type("q")
        assert t.ends() == 0
        left_as_it_was(t)
    assert not (home / "household.json").exists(), "looking has started somebody"


def test_ctrl_c_and_being_told_to_end_leave_a_whole_terminal(lumbre: Run, home: Path) -> None:
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM)):
        with terminal(home, "top") as t:
            t.wait_for("Nothing is running.")
            t.process.send_signal(number)
            assert t.ends() == status
            left_as_it_was(t)


def test_the_page_follows_the_size_of_the_window(loaded: Library) -> None:
    bar = re.compile(r"\[[A-Za-z.=#-]{10,}\]")
    with terminal(loaded.home, "top", size=Size(120, 30)) as t:
        t.wait_for("PID")
        assert len(bar.findall(plain(t.seen))[-1]) > 100
        t.resize(Size(60, 30))
        while len(bar.findall(plain(t.seen))[-1]) > 60:
            t.wait_for("TOK/S")
        t.type("Q")
        assert t.ends() == 0


def test_a_size_of_nothing_in_the_environment_is_not_believed(loaded: Library) -> None:
    with terminal(loaded.home, "top", size=Size(100, 30), COLUMNS="0", LINES="0") as t:
        t.wait_for("PID")
        t.wait_for(TINIEST)
        t.type("q")
        assert t.ends() == 0


def plain(seen: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)


@pytest.mark.parametrize(("no_color", "is_coloured"), [("", True), ("1", False)])
def test_without_colour_the_letters_say_the_same(
    no_color: str, is_coloured: bool, loaded: Library
) -> None:
    with terminal(loaded.home, "top", NO_COLOR=no_color) as t:
        t.wait_for(TINIEST)
        t.type("q")
        assert t.ends() == 0
        assert bool(COLOUR.search(t.seen)) is is_coloured
        assert "[A" in plain(t.seen)


def test_a_dumb_terminal_and_a_pipe_get_one_look(loaded: Library) -> None:
    with terminal(loaded.home, "top", TERM="dumb") as t:
        assert t.ends() == 0
        assert "\x1b" not in t.seen
        assert TINIEST in t.seen
    with terminal(loaded.home, "top", "--once") as t:
        assert t.ends() == 0
        assert IN not in t.seen
    piped = loaded("top", COLUMNS="60", LANG="ru_RU.UTF-8", **TINY)
    assert piped.returncode == 0
    assert "\x1b" not in piped.stdout
    assert max(map(len, piped.stdout.splitlines())) <= 60
    assert "готова" in piped.stdout


def test_looking_keeps_nobody_awake(lumbre: Run, home: Path) -> None:
    """A household that nobody uses ends at its time, whoever watches it."""
    assert lumbre("docs", "list", **TINY, LUMBRE_HOUSEHOLD__IDLE_S="3").returncode == 0
    household = psutil.Process(json.loads((home / "household.json").read_text())["pid"])
    with terminal(home, "top") as t:
        t.wait_for(f"pid {household.pid}")
        household.wait(30)
        t.wait_for("Nothing is running.")
        t.type("q")
        assert t.ends() == 0


def test_a_household_that_stands_still_is_said_to_and_q_still_ends_it(loaded: Library) -> None:
    pid = json.loads((loaded.home / "household.json").read_text())["pid"]
    with terminal(loaded.home, "top", size=Size(120, 30)) as t:
        t.wait_for(TINIEST)
        os.kill(pid, signal.SIGSTOP)
        try:
            t.wait_for("no answer for")
            t.type("q")
            assert t.ends() == 0
            left_as_it_was(t)
        finally:
            os.kill(pid, signal.SIGCONT)

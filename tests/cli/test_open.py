"""A citation opens where it stands: in the viewer at its page, or here with the quote marked."""

import json
import os
import pty
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import TEXT, Library
from tests.conftest import Run, environment_of

TINY = {"LUMBRE_LLM__PRIMARY__ID": "smollm2-135m-instruct-q4_1"}


@pytest.fixture
def bin_(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "bin"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def recorder(folder: Path, name: str, status: int = 0) -> Path:
    """A program that writes down its arguments, one a line."""
    program = folder / name
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{folder}/{name}.said"\nexit {status}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder / f"{name}.said"


def screen(folder: Path) -> dict[str, str]:
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "DISPLAY": ":0"}


def test_a_page_is_opened_in_the_viewer(library: Library, bin_: Path) -> None:
    said = recorder(bin_, "okular")
    done = library("docs", "open", f"{library.manual}#page=2", **screen(bin_))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert said.read_text() == f"-p\n2\n{library.manual}\n"
    assert "okular" in done.stderr
    here = library("docs", "open", "manual.pdf#page=2", "--print", **screen(bin_))
    assert here.stdout == "The second of water.\n"
    assert library("docs", "open", "manual.pdf#page=3").stdout == "The third of heat.\n"


def test_a_viewer_that_fails_leaves_the_text(library: Library, bin_: Path) -> None:
    recorder(bin_, "okular", status=3)
    done = library("docs", "open", "manual.pdf", **screen(bin_))
    assert (done.returncode, done.stdout) == (0, "The first page tells of soap.\n")


def test_the_owners_viewer_is_asked_for_every_kind(library: Library, bin_: Path) -> None:
    said = recorder(bin_, "mine")
    wish = screen(bin_) | {"LUMBRE_DOCUMENTS__VIEWER": "mine '--at {page}' {uri}"}
    assert library("docs", "open", "manual.pdf#page=3", **wish).returncode == 0
    assert said.read_text() == f"--at 3\n{library.manual.as_uri()}#page=3\n"
    assert library("docs", "open", "boat.txt", **wish).returncode == 0
    assert said.read_text() == f"--at 1\n{(library.papers / 'boat.txt').as_uri()}\n"
    gone = library("docs", "open", "boat.txt", LUMBRE_DOCUMENTS__VIEWER="no-such-program")
    assert (gone.returncode, "documents.viewer" in gone.stderr) == (2, True)


def test_a_file_that_is_gone_is_shown_as_it_was_read(library: Library, bin_: Path) -> None:
    away = library.manual.rename(library.home / "away.pdf")
    recorder(bin_, "okular")
    done = library("docs", "open", "manual.pdf#page=1", **screen(bin_))
    away.rename(library.manual)
    assert (done.returncode, done.stdout) == (0, "The first page tells of soap.\n")
    assert "not there now" in done.stderr


def test_a_citation_of_the_last_answer_is_opened_by_its_number(
    lumbre: Run, papers: Path, smollm2: Path
) -> None:
    lumbre("docs", "add", str(papers))
    answer = json.loads(lumbre("ask", "What is the boat called?", "--json", **TINY).stdout)
    (cited, *_) = answer["citations"]
    shown = lumbre("docs", "open", str(cited["id"]), **TINY)
    assert shown.returncode == 0, shown.stderr
    assert f"[[{cited['quote']}]]" in shown.stdout
    assert shown.stdout.replace("[[", "").replace("]]", "") == TEXT
    bold = in_a_terminal(papers.parent / "home", "docs", "open", str(cited["id"]), **TINY)
    assert f"\x1b[1m{cited['quote'].split()[0]}" in bold
    lumbre("docs", "remove", str(papers), **TINY)
    gone = lumbre("docs", "open", str(cited["id"]), **TINY)
    assert (gone.returncode, "lumbre ask" in gone.stderr) == (2, True)


def test_names_in_a_terminal_lead_to_the_page(library: Library) -> None:
    told = in_a_terminal(library.home, "docs", "search", "water", "--top", "1")
    assert f"\x1b]8;;{library.manual.as_uri()}#page=" in told
    assert "\x1b]8;;" not in library("docs", "search", "water", "--top", "1").stdout


def in_a_terminal(home: Path, *words: str, **environment: str) -> str:
    """What a command prints to a terminal."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen_:
        child = subprocess.Popen(
            [sys.executable, "-m", "lumbre", *words],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.DEVNULL,
            env=environment_of(home, TERM="xterm", **environment),
        )
        os.close(theirs)
        told = b""
        try:
            while piece := screen_.read(65536):
                told += piece
        except OSError:  # the other end is closed
            pass
        assert child.wait() == 0
    return told.decode()

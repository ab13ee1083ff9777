"""Every command on a page is typed in an empty home and prints what the page says."""

import re
import subprocess
from pathlib import Path

import pytest

from lumbre.store import Store
from tests.conftest import Run
from tests.docs.pages import ROOT, Typed, blocks, name, pages, typed

PAGES = [page for page in pages() if list(blocks(page, "console"))]
READMES = [ROOT / page for page in ("README.md", "README.es.md", "README.ru.md")]
OTHERS = [page for page in PAGES if page not in READMES]
CITATION = re.compile(r"\[\d+\] (examples/documents/[\w.-]+)(?:, (?:p|pág|с)\. (\d+))?: «(.+)»")
STATE = re.compile(
    r"\b(?:not here|partly here|here|no están|a medias|están|нет|частично|есть)$", re.MULTILINE
)
FIGURE = re.compile(r"\d[\d.,]*(?: [kMGT]?B| s| с)?")
TIMING_S = 300


def test_the_pages_that_show_commands_are_known() -> None:
    shown = {name(page) for page in PAGES}
    assert {name(page) for page in READMES} <= shown
    assert {"docs/config.md", "docs/cli.md", "docs/errors.md"} <= shown


@pytest.mark.parametrize("page", OTHERS, ids=name)
def test_a_page_shows_what_is_printed(
    page: Path, lumbre: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    for command in commands(page):
        holds(command, lumbre(*command.words))


@pytest.mark.slow
@pytest.mark.parametrize("page", READMES, ids=name)
def test_a_readme_shows_what_is_printed(
    page: Path,
    lumbre: Run,
    qwen: Path,
    smollm2: Path,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    assert qwen.is_file()
    downloads = tmp_path / "person" / "Downloads"
    downloads.mkdir(parents=True)
    (downloads / "model.gguf").symlink_to(smollm2)
    environment = {"HOME": str(downloads.parent), "LUMBRE_WORKER__PROMPT_THREADS": "0"}
    asked = []
    for command in commands(page):
        words = [
            word.replace("~", environment["HOME"]) if word.startswith("~") else word
            for word in command.words
        ]
        talk = "exit\n" if command.bare[0] == "chat" else None
        done = lumbre(*words, text=talk, timeout_s=TIMING_S, **environment)
        if command.bare[0] == "ask":
            asked.append(command)
            is_cited(command, done, home)
        else:
            holds(command, done)
    assert asked
    nothing_is_logged(asked, home)


def commands(page: Path) -> list[Typed]:
    return [command for block in blocks(page, "console") for command in typed(block)]


def holds(command: Typed, done: "subprocess.CompletedProcess[str]") -> None:
    """What was shown is what came: all of the output, all of the errors, or both."""
    wanted = as_pattern(command)
    told = (done.stdout, done.stderr, done.stdout + done.stderr)
    came = [plain(command, text) for text in told]
    assert any(re.fullmatch(wanted, text, re.DOTALL) for text in came), (command, told)
    assert (done.returncode == 0) == (not is_error(command.shown)), (command, told)


def is_error(shown: str) -> bool:
    return shown.startswith(("lumbre: ", '{"error"'))


def as_pattern(command: Typed) -> str:
    """Three dots stand for anything."""
    return ".*".join(re.escape(piece) for piece in plain(command, command.shown).split("..."))


def plain(command: Typed, text: str) -> str:
    """Without what differs from machine to machine: figures, which weights are here, blanks."""
    if command.bare[0] == "ps":
        text = FIGURE.sub("#", text)
    text = STATE.sub("#", text)
    return " ".join(text.split())


def is_cited(command: Typed, done: "subprocess.CompletedProcess[str]", home: Path) -> None:
    """An answer's words are the model's; its citations have the form shown, and stand."""
    assert done.returncode == 0, done.stderr
    shown, came = (CITATION.findall(text) for text in (command.shown, done.stdout))
    assert shown
    assert {(document, page) for document, page, _ in came} & {
        (document, page) for document, page, _ in shown
    }, done.stdout
    store = Store(home / "lumbre.db")
    rows = store.connection().execute("SELECT path, text FROM documents")
    texts = {path: " ".join(text.split()) for path, text in rows}
    store.close()
    for document, _, quote in came:
        assert quote in texts[str(ROOT / document)]


def nothing_is_logged(asked: list[Typed], home: Path) -> None:
    """No question and no answer is in a log, as docs/private.md says."""
    logs = "".join(path.read_text(errors="replace") for path in (home / "logs").iterdir())
    assert "Started server process" in logs
    for command in asked:
        answer, *_ = command.shown.splitlines()
        for said in (command.bare[1], answer.partition(" [")[0]):
            assert said not in logs


def test_a_wrong_page_would_be_noticed() -> None:
    """The comparison itself: it does not let everything pass."""
    shown = Typed(("config",), "pool.idle_s = 300.0, ...\n", 1)

    def came(text: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess([], 0, stdout=text, stderr="")

    holds(shown, came("pool.idle_s = 300.0, the default\n"))
    for wrong in ("pool.idle_s = 60.0, the default\n", "", "more\npool.idle_s = 300.0, \n"):
        with pytest.raises(AssertionError):
            holds(shown, came(wrong))

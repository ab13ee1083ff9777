"""Documents from the command line: in, listed, found, shown to the letter, watched, out."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lumbre.cli.queries import read
from lumbre.cli.session import Flags, Session
from lumbre.cli.watching import is_hidden, touched
from lumbre.core.errors import BadArguments
from tests.cli.conftest import TEXT, Library, write_manual
from tests.conftest import Run, environment_of

KEYS = ["document", "status", "reason", "pages", "passages", "sha256"]


def listed(lumbre: Run) -> dict[str, str]:
    documents = json.loads(lumbre("docs", "list", "--json").stdout)
    assert all(list(one) == KEYS for one in documents)
    return {Path(one["document"]).name: one["reason"] or one["status"] for one in documents}


def test_everything_seen_is_listed_and_what_is_deleted_goes(lumbre: Run, papers: Path) -> None:
    (papers / "photo.jpg").write_bytes(b"\xff\xd8")
    (papers / "empty.txt").write_bytes(b"")
    added = lumbre("docs", "add", str(papers), "--json")
    assert added.returncode == 0
    assert all(list(one) == [*KEYS, "changed"] for one in json.loads(added.stdout))
    assert listed(lumbre) == {
        "boat.txt": "indexed",
        "contrato.md": "indexed",
        "empty.txt": "empty",
        "photo.jpg": "kind",
    }
    (papers / "boat.txt").unlink()
    told = lumbre("docs", "add", str(papers), "--lang", "es")
    assert told.returncode == 0
    assert "boat.txt  borrado; olvidado" in told.stdout
    assert "Olvidados: 1" in told.stderr
    assert "boat.txt" not in listed(lumbre)
    shutil.rmtree(papers)
    gone = lumbre("docs", "add", str(papers))
    assert (gone.returncode, "no such file" in gone.stdout) == (1, True)
    assert listed(lumbre)["contrato.md"] == "indexed"


def test_the_exit_status_tells_whether_something_is_in(lumbre: Run, papers: Path) -> None:
    (papers / "photo.jpg").write_bytes(b"\xff\xd8")
    (papers / "none").mkdir()
    statuses = {"boat.txt nope.txt": 0, "nope.txt": 1, "photo.jpg": 1, "none": 0}
    for names, status in 2 * list(statuses.items()):
        paths = [str(papers / name) for name in names.split()]
        assert lumbre("docs", "add", *paths).returncode == status, names


def test_a_folder_of_photos_is_counted_not_read_out(lumbre: Run, papers: Path) -> None:
    for number in range(30):
        (papers / f"{number}.jpg").write_bytes(b"\xff\xd8")
    added = lumbre("docs", "add", str(papers))
    assert added.stdout.count(".jpg") == 20
    assert "Skipped: 30" in added.stderr
    assert lumbre("docs", "add", str(papers)).stdout == ""
    told = lumbre("docs", "list")
    assert (told.stdout.count(".jpg"), "Skipped: 30" in told.stderr) == (0, True)
    assert "--all" in told.stderr
    every = lumbre("docs", "list", "--all")
    assert (every.stdout.count(".jpg"), "--all" in every.stderr) == (30, False)


def test_what_is_only_looked_at_needs_no_model(lumbre: Run, papers: Path) -> None:
    lumbre("docs", "add", str(papers))
    none = {"LUMBRE_EMBEDDINGS__MAIN__ID": "gone-forever"}
    assert lumbre("docs", "list", **none).returncode == 0
    assert lumbre("docs", "text", "boat.txt", **none).stdout == TEXT
    assert lumbre("docs", "open", "boat.txt", "--print", **none).returncode == 0
    assert lumbre("docs", "remove", "boat.txt", **none).returncode == 0
    assert "gone-forever" in lumbre("docs", "search", "boat", **none).stderr


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (None, TEXT),
        ("0:5", "Ñandú"),
        ("15:", TEXT[15:]),
        (":13", TEXT[:13]),
        ("0:99999", TEXT),
        ("3:3", ""),
    ],
)
def test_the_text_is_given_to_the_letter(wanted: str | None, text: str, library: Library) -> None:
    part = [] if wanted is None else ["--range", wanted]
    for encoding in ("utf-8", "ascii"):
        done = subprocess.run(
            [sys.executable, "-m", "lumbre", "docs", "text", "boat.txt", *part],
            env=environment_of(library.home, PYTHONIOENCODING=encoding),
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout.decode()) == (0, text), done.stderr
    told = json.loads(library("docs", "text", "boat.txt", *part, "--json").stdout)
    assert told["text"] == TEXT[told["start"] : told["end"]] == text
    assert told["length"] == len(TEXT)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["text", "boats.txt"], "boat.txt"),
        (["text", "boat.txt", "--range", "5"], "A:B"),
        (["text", "boat.txt", "--range", "9:4"], "9:4"),
        (["text", "boat.txt", "--range", "-1:4"], "A:B"),
        (["text", "broken.pdf"], "damaged"),
        (["text", "same.txt"], "casa/same.txt"),
        (["open", "1"], "lumbre ask"),
        (["open", "broken.pdf"], "damaged"),
        (["open", "boat.txt#page=x"], "never added"),
        (["open", "manual.pdf#page=9"], "pages: 3"),
        (["remove", "nope.txt"], "nope.txt"),
        (["watch", "nowhere"], "nowhere"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_one_line_and_a_hint(
    words: list[str], told: str, library: Library
) -> None:
    refused = library("docs", *words)
    assert refused.returncode == 2, refused.stderr
    message, hint = refused.stderr.splitlines()
    assert told in message + hint
    assert refused.stdout == ""


def test_nothing_goes_when_one_of_several_is_not_known(library: Library) -> None:
    before = library("docs", "list", "--json").stdout
    refused = library("docs", "remove", "boat.txt", "nope.txt")
    assert (refused.returncode, "nope.txt" in refused.stderr) == (2, True)
    assert library("docs", "list", "--json").stdout == before


def test_many_questions_are_answered_in_one_go(library: Library, tmp_path: Path) -> None:
    lines = [{"id": "a", "text": "boat name"}, {"id": 7, "text": "renta"}]
    data = "\n\n".join(json.dumps(line) for line in lines) + "\n"
    (tmp_path / "q.jsonl").write_text(data)
    done = library("docs", "search", "--queries", str(tmp_path / "q.jsonl"), "--top", "1")
    piped = library("docs", "search", "--queries", "-", "--top", "1", text=data)
    assert piped.stdout == done.stdout
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["id"] for one in found] == ["a", 7]
    assert [Path(one["hits"][0]["document"]).name for one in found] == ["boat.txt", "contrato.md"]
    (one,) = json.loads(library("docs", "search", "renta", "--top", "1", "--json").stdout)
    assert one == found[1]["hits"][0]
    every = library("docs", "search", "renta", "--by", "document", "--top", "9", "--json")
    names = [hit["document"] for hit in json.loads(every.stdout)]
    assert len(names) == len(set(names)) == 5


@pytest.mark.parametrize(
    "bad", ["{", "[]", '{"id": 1}', '{"text": "x"}', '{"id": 1, "text": " "}', "\xff"]
)
def test_a_bad_question_is_named_by_its_line_before_any_is_asked(bad: str, home: Path) -> None:
    home.mkdir()
    path = home / "q.jsonl"
    path.write_bytes(b'\n{"id": 1, "text": "boat"}\n' + bad.encode("latin-1") + b"\n")
    with pytest.raises(BadArguments, match="line 3"):
        read(Session({"LUMBRE_HOME": str(home)}, Flags()), str(path))


def test_a_file_of_bad_questions_prints_none_of_its_answers(library: Library) -> None:
    done = library("docs", "search", "--queries", "-", text='{"id": 1, "text": "boat"}\nno\n')
    assert (done.returncode, done.stdout) == (2, "")
    assert "line 2" in done.stderr


def test_two_that_add_at_once_both_end_well(lumbre: Run, papers: Path, home: Path) -> None:
    both = [started(home, "docs", "add", str(papers), "--json") for _ in range(2)]
    for adding in both:
        told, complaint = adding.communicate()
        assert adding.returncode == 0, complaint
        assert len(json.loads(told)) == 2
    assert set(listed(lumbre)) == {"boat.txt", "contrato.md"}


def test_a_household_killed_while_it_reads_has_kept_what_it_told_of(
    lumbre: Run, papers: Path, home: Path
) -> None:
    for number in range(200):
        text = " ".join(f"Sentence {n} of document {number}." for n in range(100))
        (papers / f"{number:03}.txt").write_text(text)
    adding = started(home, "docs", "add", str(papers))
    assert adding.stdout is not None
    first = adding.stdout.readline()
    os.kill(json.loads((home / "household.json").read_text())["pid"], signal.SIGKILL)
    rest, complaint = adding.communicate()
    assert adding.returncode == 4, complaint
    told = [Path(line.split("  ")[1]).name for line in [first, *rest.splitlines()]]
    kept = listed(lumbre)
    assert set(told) <= set(kept)
    assert len(kept) < 202
    for name in told[:3]:
        text = lumbre("docs", "text", name).stdout
        assert text == (papers / name).read_text()


def started(home: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "lumbre", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment_of(home),
    )


def test_a_watched_folder_is_read_as_it_changes(lumbre: Run, papers: Path, home: Path) -> None:
    watching = started(home, "docs", "watch", str(papers), "--json")
    assert watching.stdout is not None
    assert watching.stderr is not None

    def told() -> tuple[str, str]:
        assert watching.stdout is not None
        event: dict[str, Any] = json.loads(watching.stdout.readline())
        return Path(event["document"]).name, event["status"]

    with watching.stdout, watching.stderr:
        try:
            assert [told(), told()] == [("boat.txt", "indexed"), ("contrato.md", "indexed")]
            assert "Watching" in watching.stderr.readline()
            (papers / "casa" / "new.md").write_text("New.\n")
            assert told() == ("new.md", "indexed")
            (papers / ".hidden.md").write_text("Not for you.\n")
            (papers / "casa" / "contrato.md").unlink()
            assert told() == ("contrato.md", "removed")
            (papers.parent / "moved").mkdir()
            (papers.parent / "moved" / "in.txt").write_text("Moved in.\n")
            (papers.parent / "moved").rename(papers / "moved")
            assert told() == ("in.txt", "indexed")
            watching.send_signal(signal.SIGINT)
            assert watching.wait() == 0
            assert "Traceback" not in watching.stderr.read()
        finally:
            watching.kill()
            watching.wait()
    assert set(listed(lumbre)) == {"boat.txt", "new.md", "in.txt"}


def test_what_changed_is_read_again_and_no_more(tmp_path: Path) -> None:
    top = str(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")
    there = str(tmp_path / "in" / "a.txt")
    assert touched([there], [top]) == [there]
    assert touched([f"{top}/in/gone.txt", there], [top]) == [f"{top}/in"]
    assert touched([f"{top}/gone/deep/x.txt"], [top]) == [top]
    assert touched([f"{top}/.git/index", f"{top}/.x.docx", "/elsewhere/x.txt"], [top]) == []
    assert touched([there], [str(tmp_path / "in"), top]) == [there]
    assert touched(["/gone/x.txt"], ["/gone"]) == []
    assert is_hidden("/a/.b/c")
    assert not is_hidden("/a/b.c/d~$")


def test_a_file_over_a_limit_is_named_with_the_setting_and_read_once_it_is_raised(
    lumbre: Run, papers: Path
) -> None:
    write_manual(papers / "manual.pdf")
    low = lumbre("docs", "add", str(papers), LUMBRE_DOCUMENTS__MAX_PAGES="2")
    assert (low.returncode, "documents.max_pages" in low.stdout) == (0, True)
    assert listed(lumbre)["manual.pdf"] == "pages"
    assert lumbre("docs", "add", str(papers)).returncode == 0
    assert listed(lumbre)["manual.pdf"] == "indexed"

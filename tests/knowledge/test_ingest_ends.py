"""However an adding ends, each document is whole or absent, and what was told of is there."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from lumbre.core.errors import StoreFull
from lumbre.knowledge.index import Index
from lumbre.knowledge.ingest import Added, Step
from lumbre.store import Store
from tests.knowledge.plain import run

ROOT = Path(__file__).parents[2]

ADDS = """
import sys
from pathlib import Path
from lumbre.knowledge.index import Index
from lumbre.knowledge.ingest import Added
from lumbre.store import Store
from tests.knowledge.plain import run

store = Store(Path(sys.argv[1]))
def say(step):
    if isinstance(step, Added):
        print(step.document.path, flush=True)
run(Index(store), Path(sys.argv[2]), each=say)
store.close()
"""


def write(papers: Path, count: int) -> None:
    for number in range(count):
        text = " ".join(f"Sentence {n} of document {number}." for n in range(60))
        (papers / f"{number:04}.txt").write_text(text)


def child(database: Path, papers: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", ADDS, str(database), str(papers)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(["src", *sys.path])},
    )


def check_whole(store: Store, index: Index) -> None:
    """Every document has its text, and its passages reach from its beginning to its end."""
    connection = store.connection()
    for document in index.documents():
        stored = index.stored(document.path)
        assert stored
        assert stored.parsed.text == Path(document.path).read_text()
        ((start, end),) = connection.execute(
            'SELECT min(start), max("end") FROM passages WHERE document ='
            " (SELECT id FROM documents WHERE path = ?)",
            (document.path,),
        )
        assert (start, end) == (0, len(stored.parsed.text))
    # of its own: a connection that has checked once takes another's merge of words for damage
    fresh = apsw.Connection(str(store.path))
    ((problems,),) = fresh.execute("PRAGMA integrity_check")
    fresh.close()
    assert problems == "ok"
    assert not list(connection.execute("PRAGMA foreign_key_check"))


@pytest.mark.parametrize("after", [1, 70])
def test_killed_at_any_time_it_loses_nothing_it_told_of(
    after: int, papers: Path, tmp_path: Path
) -> None:
    write(papers, 200)
    adding = child(tmp_path / "lumbre.db", papers)
    assert adding.stdout is not None
    with adding.stdout:
        told = [adding.stdout.readline().rstrip("\n") for _ in range(after)]
        adding.send_signal(signal.SIGKILL)
        told += adding.stdout.read().splitlines()
    assert adding.wait() == -signal.SIGKILL
    store = Store(tmp_path / "lumbre.db")
    index = Index(store)
    kept = {document.path for document in index.documents()}
    assert set(told) <= kept
    assert len(kept) < 200, "it was killed too late to tell"
    check_whole(store, index)
    again = [step for step in run(index, papers) if isinstance(step, Added)]
    assert {step.document.path for step in again if not step.changed} == kept
    assert len(index.documents()) == 200
    check_whole(store, index)
    store.close()


def test_two_at_once_on_one_database_end_with_every_document_once(
    papers: Path, tmp_path: Path
) -> None:
    write(papers, 60)
    both = [child(tmp_path / "lumbre.db", papers) for _ in range(2)]
    for adding in both:
        told, _ = adding.communicate()
        assert adding.returncode == 0
        assert len(told.splitlines()) == 60
    store = Store(tmp_path / "lumbre.db")
    index = Index(store)
    assert len(index.documents()) == 60
    check_whole(store, index)
    store.close()


def test_a_disk_that_fills_up_keeps_what_was_told_of(small_disk: Path, papers: Path) -> None:
    write(papers, 200)
    store = Store(small_disk / "lumbre.db")
    index = Index(store)
    told: list[str] = []

    def note(step: Step) -> None:
        if isinstance(step, Added):
            told.append(step.document.path)

    with pytest.raises(StoreFull) as refused:
        run(index, papers, each=note)
    assert isinstance(refused.value.facts["free_bytes"], int)
    assert str(store.path) in refused.value.message("en")
    kept = {document.path for document in index.documents()}
    assert set(told) <= kept
    assert 0 < len(kept) < 200
    check_whole(store, index)
    store.close()

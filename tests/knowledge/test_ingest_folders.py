"""A folder added again is as it is now: what was deleted goes, what is out of reach stays."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lumbre.core.document import Document
from lumbre.knowledge.index import Index
from lumbre.knowledge.ingest import Added, Removed, Step
from lumbre.knowledge.places import Found, Places, found_at
from lumbre.knowledge.reading import Limits
from tests.knowledge.plain import USUAL, run


def told(index: Index, *paths: Path, limits: Limits = USUAL) -> list[tuple[str, str]]:
    """Name and fate of every document the adding tells of."""
    return [
        (Path(step.document.path).name, _fate(step))
        for step in run(index, *paths, limits=limits)
        if isinstance(step, Added | Removed)
    ]


def _fate(step: Added | Removed) -> str:
    if isinstance(step, Removed):
        return "removed"
    document = step.document
    return document.reason or ("indexed" if step.changed else "unchanged")


def listed(index: Index) -> dict[str, str]:
    return {Path(one.path).name: one.reason or one.status for one in index.documents()}


def test_a_deleted_file_is_forgotten_when_its_folder_is_added_again(
    papers: Path, index: Index
) -> None:
    for name in ("a.txt", "b.txt", "broken.pdf"):
        (papers / name).write_text(f"This is {name}.")
    told(index, papers)
    (papers / "b.txt").unlink()
    (papers / "broken.pdf").unlink()
    assert told(index, papers) == [
        ("b.txt", "removed"),
        ("broken.pdf", "removed"),
        ("a.txt", "unchanged"),
    ]
    assert listed(index) == {"a.txt": "indexed"}


def test_a_deleted_folder_takes_its_documents_along(papers: Path, index: Index) -> None:
    (papers / "in" / "deep").mkdir(parents=True)
    (papers / "in" / "deep" / "a.txt").write_text("One.")
    (papers / "b.txt").write_text("Two.")
    told(index, papers)
    shutil.rmtree(papers / "in")
    assert told(index, papers) == [("a.txt", "removed"), ("b.txt", "unchanged")]


def test_a_folder_that_was_emptied_is_forgotten(papers: Path, index: Index) -> None:
    (papers / "a.txt").write_text("One.")
    told(index, papers)
    (papers / "a.txt").unlink()
    assert told(index, papers) == [("a.txt", "removed")]
    assert index.documents() == []


def test_documents_elsewhere_are_not_looked_for(papers: Path, index: Index) -> None:
    for name in ("in", "inside"):
        (papers / name).mkdir()
        (papers / name / "a.txt").write_text(name)
    told(index, papers)
    shutil.rmtree(papers / "inside")
    assert told(index, papers / "in") == [("a.txt", "unchanged")]
    assert len(index.documents()) == 2


def test_a_named_path_that_is_missing_is_told_of_and_kept(papers: Path, index: Index) -> None:
    (papers / "in").mkdir()
    (papers / "in" / "a.txt").write_text("One.")
    told(index, papers / "in")
    shutil.rmtree(papers / "in")
    assert told(index, papers / "in") == [("in", "missing")]
    assert listed(index) == {"a.txt": "indexed"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder to mount something on; nothing is mounted on it afterwards."""
    folder = tmp_path / "mnt" / "disk"
    folder.mkdir(parents=True)
    yield folder
    if folder.is_mount():
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def mount(folder: Path) -> None:
    line = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(line, capture_output=True).returncode:  # noqa: PLW1510
        pytest.skip("a file system may not be mounted here")


def test_what_was_read_from_a_disk_that_is_not_there_now_stays(disk: Path, index: Index) -> None:
    mount(disk)
    (disk / "a.txt").write_text("One.")
    told(index, disk)
    subprocess.run(["umount", str(disk)], check=True)
    assert told(index, disk) == [("disk", "away")]
    assert told(index, disk.parent)[0] == ("disk", "away")
    assert listed(index) == {"a.txt": "indexed"}


def test_a_folder_that_may_not_be_looked_into_proves_nothing(papers: Path, index: Index) -> None:
    (papers / "in").mkdir()
    (papers / "in" / "a.txt").write_text("One.")
    told(index, papers)
    (document,) = index.documents()
    found = Found(files=[], folders=[papers], closed=[papers / "in"])
    assert Places(index.store).compare([document], found) == ([], [])


def test_files_under_a_name_that_is_no_utf_8_are_listed_and_go(papers: Path, index: Index) -> None:
    folder = papers / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "a.txt").write_text("One.")
    for _ in range(2):
        assert told(index, folder) == [("a.txt", "name")]
    assert listed(index) == {"a.txt": "name"}
    (folder / "a.txt").unlink()
    assert told(index, papers) == [("a.txt", "removed")]
    assert listed(index) == {}


def test_a_file_is_found_once_however_often_it_is_named(papers: Path, index: Index) -> None:
    (papers / "a.txt").write_text("One.")
    assert told(index, papers / "a.txt", papers, papers / "a.txt") == [("a.txt", "indexed")]


def test_hidden_files_stay_out_of_folders(papers: Path) -> None:
    for name in (".a.txt", "c.txt", ".git/d.txt"):
        path = papers / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    assert found_at([papers]).files == [papers / "c.txt"]
    assert found_at([papers / ".a.txt"]).files == [papers / ".a.txt"]


def test_every_file_seen_is_listed_with_its_reason_and_said_once(
    papers: Path, index: Index
) -> None:
    (papers / "empty.txt").write_bytes(b"")
    (papers / "photo.jpg").write_bytes(b"\xff\xd8")
    (papers / "binary.txt").write_bytes(bytes(range(256)) * 4)
    (papers / "large.txt").write_text("x" * 2000)
    limits = Limits(file_bytes=1999)
    first = told(index, papers, papers / "never.txt", limits=limits)
    assert sorted(first) == [
        ("binary.txt", "binary"),
        ("empty.txt", "empty"),
        ("large.txt", "large"),
        ("never.txt", "missing"),
        ("photo.jpg", "kind"),
    ]
    assert listed(index) == {name: why for name, why in first if why != "missing"}
    again = run(index, papers, limits=limits)
    assert not any(step.changed for step in again if isinstance(step, Added))
    (papers / "empty.txt").write_text("No longer.")
    assert ("empty.txt", "indexed") in told(index, papers)
    assert listed(index)["large.txt"] == "indexed"


def test_a_reason_that_may_pass_never_takes_the_place_of_a_text(papers: Path, index: Index) -> None:
    path = papers / "a.txt"
    path.write_text("The boat is green.")
    told(index, path)
    with path.open("r+b") as file:
        file.truncate(400 * 2**20)  # holes: no byte of it is on the disk
    low = Limits(memory_bytes=300 * 2**20)
    assert told(index, path, limits=low) == [("a.txt", "memory")]
    stored = index.stored(str(path))
    assert stored
    assert stored.parsed.text == "The boat is green."
    path.write_text("The boat is blue.")
    assert told(index, path) == [("a.txt", "indexed")]


def test_what_failed_for_a_passing_reason_is_listed_and_tried_again(
    papers: Path, index: Index
) -> None:
    path = papers / "a.txt"
    path.write_bytes(b"\0" * 10)
    with path.open("r+b") as file:
        file.truncate(400 * 2**20)
    assert told(index, path, limits=Limits(memory_bytes=300 * 2**20)) == [("a.txt", "memory")]
    assert listed(index) == {"a.txt": "memory"}
    path.write_text("The boat is blue.")
    assert told(index, path) == [("a.txt", "indexed")]


def test_what_was_read_in_an_older_way_is_read_again(papers: Path, index: Index) -> None:
    for name, data in (("a.txt", b"The boat is green."), ("b.pdf", b"%PDF-1.7 broken")):
        (papers / name).write_bytes(data)
    told(index, papers)
    assert told(index, papers) == [("a.txt", "unchanged"), ("b.pdf", "damaged")]
    with index.store.writing() as connection:
        connection.execute("UPDATE documents SET cut = '1000/200/1'")
    assert told(index, papers) == [("a.txt", "indexed"), ("b.pdf", "damaged")]
    cuts = set(index.store.connection().execute("SELECT cut FROM documents"))
    assert len(cuts) == 1
    assert ("1000/200/1",) not in cuts


def test_a_document_is_told_of_only_once_it_is_stored(papers: Path, index: Index) -> None:
    for number in range(100):
        (papers / f"{number:03}.txt").write_text(f"Document {number}.")
    seen: list[Document] = []

    def check(step: Step) -> None:
        if isinstance(step, Added):
            assert index.document(step.document.path) == step.document
            seen.append(step.document)

    run(index, papers, each=check)
    assert seen == index.documents()


def test_many_small_files_do_not_wait_for_the_disk_one_by_one(papers: Path, index: Index) -> None:
    for number in range(130):
        (papers / f"{number:03}.txt").write_text(f"Document {number}.")
    ticks = iter(range(10**6))
    commits: list[int] = []
    connection = index.store.connection()
    before = connection.data_version()

    def count(step: Step) -> None:
        if isinstance(step, Added) and (not commits or commits[-1] != connection.data_version()):
            commits.append(connection.data_version())

    run(index, papers, each=count, clock=lambda: next(ticks) * 1e-6)
    assert before != commits[0]
    assert len(commits) <= 4


def test_a_slow_clock_stores_what_is_done_before_it_gets_old(papers: Path, index: Index) -> None:
    for number in range(3):
        (papers / f"{number}.txt").write_text(f"Document {number}. " * 200)
    ticks = iter(range(10**6))
    steps = run(index, papers, clock=lambda: float(next(ticks)))
    kinds = [type(step).__name__ for step in steps]
    assert kinds.index("Added") < len(kinds) - 3

"""The matrix is what the database holds, however it came to be and whatever befell its file."""

import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumbre.knowledge import mapped
from lumbre.knowledge.derive import derive
from lumbre.knowledge.index import Index
from lumbre.knowledge.matrix import Matrix
from lumbre.store import Store
from tests.knowledge.collection import EMBEDDING, document, unit

ARRAYS = (
    "document_ids",
    "document_marks",
    "document_is_current",
    "document_sentences",
    "ids",
    "documents",
    "languages",
    "totals",
    "ranges",
    "bits",
    "sentence_ids",
    "sentence_bits",
)


def same(one: Matrix, other: Matrix) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ARRAYS)


def anew(index: Index) -> Matrix:
    """The matrix made of the database alone."""
    with tempfile.TemporaryDirectory() as folder, index.store.reading() as connection:
        return derive(connection, Path(folder) / "m", EMBEDDING, None)


def matrix_of(index: Index) -> Matrix:
    with index.moment(EMBEDDING) as moment:
        return moment.matrix


def file_of(index: Index) -> Path:
    return index.store.path.with_name(f"{index.store.path.name}.matrix")


changes = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "put", "other model", "remove", "unreadable", "look"]),
        st.integers(0, 4),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=25, deadline=None)
@given(changes)
def test_changed_step_by_step_it_is_what_it_would_be_made_anew(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[str, int, int]]
) -> None:
    index = Index(Store(tmp_path_factory.mktemp("steps") / "lumbre.db"))
    random = np.random.default_rng(0)
    for move, number, passages in [*moves, ("look", 0, 0)]:
        path = f"/{number}"
        match move:
            case "put":
                index.put(document(path, random, passages))
            case "other model":
                index.put(document(path, random, passages, embedding="another@1"))
            case "remove":
                index.remove([path])
            case "unreadable":
                index.put_unreadable(path, "hash", "", "damaged")
            case "look":
                assert same(matrix_of(index), anew(index))
    assert same(matrix_of(Index(index.store)), anew(index)), "also from its file"
    index.store.close()


def test_it_is_made_again_only_after_a_change(index: Index) -> None:
    index.put(document("/a", np.random.default_rng(1), 3))
    first = matrix_of(index)
    assert matrix_of(index) is first
    index.put(document("/b", np.random.default_rng(2), 2))
    assert len(matrix_of(index)) == 5


def test_bits_differ_as_angles_do(index: Index) -> None:
    """Opposite vectors in every bit, the same in none."""
    random = np.random.default_rng(3)
    index.put(document("/a", random, 1))
    only = document("/a", random, 1).passages[0][0].vector
    alone = document("/b", random, 1)
    index.put(
        type(alone)(**{name: getattr(alone, name) for name in alone.__slots__} | {"sentences": ()})
    )
    matrix = matrix_of(index)
    vector = alone.passages[0][0].vector
    assert matrix.roughly(vector)[1] == pytest.approx(1)
    assert matrix.roughly(-vector)[1] == pytest.approx(-1)
    assert abs(matrix.roughly(only)[1]) < 1


def test_a_missing_file_is_made_again(index: Index) -> None:
    index.put(document("/a", np.random.default_rng(4), 3))
    matrix_of(index)
    file_of(index).unlink()
    assert same(matrix_of(Index(index.store)), anew(index))
    assert file_of(index).exists()


def test_it_is_its_owners_alone(index: Index) -> None:
    index.put(document("/a", np.random.default_rng(5), 3))
    matrix_of(index)
    assert stat.S_IMODE(file_of(index).stat().st_mode) == 0o600


@settings(max_examples=60, deadline=None)
@given(at=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255), cut=st.booleans())
def test_a_damaged_file_is_told_and_made_again(
    damaged: Index, at: float, flip: int, cut: bool
) -> None:
    expected = anew(damaged)
    path = file_of(damaged)
    matrix_of(damaged)
    whole = bytearray(path.read_bytes())
    place = int(at * len(whole))
    if cut:
        del whole[place:]
    else:
        whole[place] ^= flip
    path.unlink()  # never changed under whoever has mapped it
    path.write_bytes(whole)
    found = Index(damaged.store)
    assert same(matrix_of(found), expected)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    store = Store(tmp_path_factory.mktemp("damaged") / "lumbre.db")
    index = Index(store)
    index.put(document("/a", np.random.default_rng(6), 4))
    yield index
    store.close()


def test_a_database_put_back_from_a_copy_is_not_taken_for_the_later_one(
    index: Index, tmp_path: Path
) -> None:
    """Both have seen as many changes, and their documents have the same numbers."""
    random = np.random.default_rng(7)
    index.put(document("/a", random, 2))
    index.store.close()
    copy = tmp_path / "copy.db"
    shutil.copy(index.store.path, copy)
    index.put(document("/a", random, 3))
    matrix_of(index)
    other = Index(Store(copy))
    other.put(document("/a", random, 3))
    shutil.copy(file_of(index), file_of(other))
    assert same(matrix_of(other), anew(other))
    assert not same(matrix_of(other), matrix_of(index))
    other.store.close()


def test_where_there_is_no_room_it_stays_in_memory(small_disk: Path) -> None:
    large = {"rows": np.zeros(4 << 20, np.uint8)}
    path = small_disk / "m"
    kept = mapped.write(path, {"mark": 1}, large)
    assert kept.pages is None
    assert kept.arrays["rows"] is large["rows"]
    assert list(small_disk.iterdir()) == []
    small = mapped.write(path, {"mark": 1}, {"rows": np.arange(9)})
    assert small.pages is not None


_WRITE_FOR_EVER = """
import sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
import numpy as np
from lumbre.knowledge import mapped
for mark in range(1, 100_000):
    mapped.write(Path(sys.argv[1]), {"mark": mark}, {"rows": np.full(1 << 19, mark)})
    print(mark, flush=True)
"""


def writer(path: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _WRITE_FOR_EVER, str(path), *sys.path],
        stdout=subprocess.PIPE,
        text=True,
    )


def whole(path: Path) -> int | None:
    """The mark of a file that is all of one writing, None when there is none."""
    found = mapped.read(path)
    if found is None:
        return None
    assert (found.arrays["rows"] == found.facts["mark"]).all()
    return int(found.facts["mark"])


@pytest.mark.parametrize("after", [1, 3, 8])
def test_a_kill_while_the_file_is_written_leaves_a_whole_one(tmp_path: Path, after: int) -> None:
    path = tmp_path / "m"
    with writer(path) as child:
        assert child.stdout
        for _ in range(after):
            said = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
    mark = whole(path)
    assert mark is not None
    assert mark >= said
    mapped.write(path, {"mark": 7}, {"rows": np.full(5, 7)})
    assert whole(path) == 7
    assert [file.name for file in tmp_path.iterdir()] == ["m"]


def test_two_processes_that_write_it_at_once_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "m"
    with writer(path) as one, writer(path) as other:
        assert one.stdout
        assert other.stdout
        one.stdout.readline()
        other.stdout.readline()
        seen = [whole(path) for _ in range(20)]
        one.kill()
        other.kill()
    assert None not in seen


def test_readers_see_one_moment_while_another_writes(index: Index) -> None:
    """A passage of the matrix has its rows, and its bits are those of its vector."""
    random = np.random.default_rng(8)
    index.put(document("/0", random, 2))
    over = threading.Event()
    wrong: list[str] = []

    def look() -> None:
        reader = Index(index.store)
        while not over.is_set():
            with reader.moment(EMBEDDING) as moment:
                kept = moment.connection.execute("SELECT id FROM passages ORDER BY id").fetchall()
                if [row for (row,) in kept] != moment.matrix.ids.tolist():
                    wrong.append("another moment")
                moment.matrix.roughly(unit(np.random.default_rng(9)))

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(30):
        index.put(document(f"/{number % 3}", random, 1 + number % 3))
        if number % 7 == 0:
            index.remove([f"/{(number + 1) % 3}"])
    over.set()
    for reader in readers:
        reader.join()
    assert not wrong

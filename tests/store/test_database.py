"""The database survives kill -9 and upgrades, and is never another program's."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from lumbre.core.errors import HomeNotUsable, StoreBusy, StoreDamaged, StoreFull
from lumbre.store import Schema, Store

ONE = Schema("things", ("CREATE TABLE things (name TEXT) STRICT",))
TWO = Schema("things", (*ONE.migrations, "ALTER TABLE things ADD COLUMN size INTEGER"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "lumbre.db")
    yield opened
    opened.close()


def names(store: Store) -> list[str]:
    return [str(name) for (name,) in store.connection().execute("SELECT name FROM things")]


def test_a_part_brings_its_tables_once_and_later_only_what_is_new(store: Store) -> None:
    store.bring(ONE)
    store.bring(ONE)
    with store.writing() as connection:
        connection.execute("INSERT INTO things VALUES ('a')")
    store.bring(TWO)
    assert store.version("things") == 2
    assert list(store.connection().execute("SELECT * FROM things")) == [("a", None)]


def test_a_migration_that_fails_leaves_the_version_as_it_was(store: Store) -> None:
    store.bring(ONE)
    broken = Schema("things", (*ONE.migrations, "CREATE TABLE more (x); SELECT nonsense"))
    with pytest.raises(Exception, match="nonsense"):
        store.bring(broken)
    assert store.version("things") == 1
    assert not list(store.connection().execute("SELECT 1 FROM sqlite_schema WHERE name='more'"))


def test_a_file_of_a_newer_lumbre_is_left_alone(store: Store) -> None:
    store.bring(TWO)
    with pytest.raises(StoreDamaged, match="version 2"):
        store.bring(ONE)


def test_a_transaction_lands_whole_or_not_at_all(store: Store) -> None:
    store.bring(ONE)
    with pytest.raises(KeyboardInterrupt), store.writing() as connection:
        connection.execute("INSERT INTO things VALUES ('a')")
        raise KeyboardInterrupt
    assert names(store) == []


def test_what_was_acknowledged_is_there_after_kill_9(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from lumbre.store import Schema, Store
store = Store(Path({str(tmp_path / "lumbre.db")!r}))
store.bring(Schema("things", {ONE.migrations!r}))
with store.writing() as connection:
    connection.execute("INSERT INTO things VALUES ('kept')")
connection = store.connection()
connection.execute("BEGIN IMMEDIATE")
connection.execute("INSERT INTO things VALUES ('lost')")
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", program], check=False)
    assert ended.returncode == -signal.SIGKILL
    store = Store(tmp_path / "lumbre.db")
    assert names(store) == ["kept"]
    store.close()


def test_many_threads_write_in_turn(store: Store) -> None:
    store.bring(ONE)

    def write(number: int) -> None:
        with store.writing() as connection:
            connection.execute("INSERT INTO things VALUES (?)", (str(number),))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(40)))
    assert sorted(names(store), key=int) == [str(number) for number in range(40)]


def test_another_programs_database_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "lumbre.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreDamaged, match="another program"):
        Store(path)
    assert path.read_bytes()[:16] == before[:16]


def test_what_is_no_database_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "lumbre.db"
    path.write_bytes(os.urandom(8192))
    with pytest.raises(StoreDamaged, match="not a database"):
        Store(path)


def test_a_truncated_database_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "lumbre.db"
    store = Store(path)
    store.bring(ONE)
    with store.writing() as connection:
        connection.executemany("INSERT INTO things VALUES (?)", (("x" * 500,) for _ in range(99)))
    store.close()
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(StoreDamaged):
        Store(path).bring(ONE)


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(path: Path) -> dict[str, int]:
    return {one.name: one.stat().st_mode & 0o777 for one in path.parent.glob("lumbre.db*")}


def test_only_its_owner_may_read_it(open_umask: None, tmp_path: Path) -> None:
    store = Store(tmp_path / "lumbre.db")
    store.bring(ONE)
    wanted = {"lumbre.db": 0o600, "lumbre.db-wal": 0o600, "lumbre.db-shm": 0o600}
    assert modes(store.path) == wanted
    for path in tmp_path.iterdir():
        path.chmod(0o644)
    again = Store(tmp_path / "lumbre.db")
    assert modes(store.path) == wanted
    again.close()
    store.close()


def test_a_place_that_takes_no_database_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "nowhere" / "lumbre.db", tmp_path / "folder"):
        with pytest.raises(HomeNotUsable, match=path.name):
            Store(path)


def test_a_full_disk_is_said_and_what_was_there_is_whole(small_disk: Path) -> None:
    store = Store(small_disk / "lumbre.db")
    store.bring(ONE)
    with store.writing() as connection:
        connection.execute("INSERT INTO things VALUES ('kept')")
    with pytest.raises(StoreFull) as refused, store.writing() as connection:
        for _ in range(100):
            connection.execute("INSERT INTO things VALUES (?)", ("x" * 100_000,))
    assert refused.value.facts["path"] == store.path
    assert not store.connection().in_transaction
    assert names(store) == ["kept"]
    with store.writing() as connection:
        connection.execute("INSERT INTO things VALUES ('again')")
    assert names(store) == ["kept", "again"]
    store.close()


def test_a_limit_on_the_size_of_files_is_said_and_loses_nothing(tmp_path: Path) -> None:
    program = f"""
import resource
from pathlib import Path
from lumbre.core.errors import HomeNotUsable
from lumbre.store import Schema, Store
store = Store(Path({str(tmp_path / "lumbre.db")!r}))
store.bring(Schema("things", {ONE.migrations!r}))
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
try:
    with store.writing() as connection:
        for _ in range(100):
            connection.execute("INSERT INTO things VALUES (?)", ("x" * 100_000,))
except HomeNotUsable as error:
    print(error.facts["path"].name)
with store.writing() as connection:
    connection.execute("INSERT INTO things VALUES ('small')")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"lumbre.db\n"), done.stderr
    store = Store(tmp_path / "lumbre.db")
    assert names(store) == ["small"]
    store.close()


def test_another_who_holds_it_too_long_is_named(store: Store) -> None:
    store.bring(ONE)
    other = apsw.Connection(str(store.path))
    other.execute("BEGIN IMMEDIATE")
    store.connection().set_busy_timeout(1)
    with pytest.raises(StoreBusy, match="another program"), store.writing():
        raise AssertionError("nobody else may write now")
    other.close()
    with store.writing() as connection:
        connection.execute("INSERT INTO things VALUES ('a')")
    assert names(store) == ["a"]


def test_closing_does_not_stumble_over_a_thread_in_the_middle_of_a_question(tmp_path: Path) -> None:
    store = Store(tmp_path / "lumbre.db")
    asked, over = threading.Event(), threading.Event()

    def look(*_: object) -> int:
        asked.set()
        assert over.wait(30)
        return 1

    def ask() -> None:
        connection = store.connection()
        connection.create_scalar_function("look", look)
        list(connection.execute("SELECT look(1)"))

    asking = threading.Thread(target=ask)
    asking.start()
    assert asked.wait(30)
    store.close()
    over.set()
    asking.join()

"""What is kept of talks is whole, closed to others, within its bound, and gone when forgotten."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lumbre.core.errors import StoreBusy
from lumbre.pool.talks.states import Kept, States

PRINT, OTHER = "a" * 24, "b" * 24
KEPT = Kept("smollm2", tokens=12, prompt_tokens=8, said=("one", "two"))


def states(
    folder: Path,
    bound_bytes: int = 10_000,
    left_bytes: int = 0,
    is_there: Callable[[int], bool] = lambda conversation: True,
) -> States:
    (folder / "states").mkdir(exist_ok=True)
    return States(folder / "states", bound_bytes, left_bytes, is_there)


def put(
    kept: States, folder: Path, conversation: int, *, size: int = 1000, fingerprint: str = PRINT
) -> int:
    """A state of so many bytes; how many were kept."""
    name = kept.begin(conversation, size)
    if name is None:
        return 0
    (folder / "states" / name).write_bytes(b"x" * size)
    try:
        return kept.keep(name, conversation, fingerprint, KEPT)
    finally:
        kept.discard(name)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "states").iterdir())


def test_a_state_is_found_as_it_was_kept_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    kept = states(tmp_path)
    before = os.umask(0)
    try:
        assert put(kept, tmp_path, 3) == 1000
    finally:
        os.umask(before)
    name = f"3-{PRINT}.state"
    assert kept.find(3, PRINT) == (name, KEPT)
    assert names(tmp_path) == [f"3-{PRINT}.json", name]
    assert stat.S_IMODE((tmp_path / "states").stat().st_mode) == 0o700
    for path in (tmp_path / "states").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_is_closed_to_others_from_its_first_byte(tmp_path: Path) -> None:
    kept = states(tmp_path)
    before = os.umask(0)
    try:
        name = kept.begin(3, 10)
    finally:
        os.umask(before)
    assert name is not None
    assert stat.S_IMODE((tmp_path / "states" / name).stat().st_mode) == 0o600
    kept.discard(name)
    assert names(tmp_path) == []


def test_another_talk_or_other_weights_find_nothing(tmp_path: Path) -> None:
    kept = states(tmp_path)
    put(kept, tmp_path, 3)
    assert kept.find(4, PRINT) is None
    assert kept.find(3, OTHER) is None
    assert kept.find(3, PRINT) is not None


def cut(state: Path, _: Path) -> None:
    state.write_bytes(state.read_bytes()[:500])


def turned(state: Path, _: Path) -> None:
    data = bytearray(state.read_bytes())
    data[700] ^= 1
    state.write_bytes(data)


def missing(state: Path, _: Path) -> None:
    state.unlink()


def untold(_: Path, facts: Path) -> None:
    facts.unlink()


def nonsense(_: Path, facts: Path) -> None:
    facts.write_text("[1, 2")


def no_object(_: Path, facts: Path) -> None:
    facts.write_text("[1, 2]")


def newer(_: Path, facts: Path) -> None:
    facts.write_text(json.dumps(json.loads(facts.read_text()) | {"format": 99}))


def anothers(_: Path, facts: Path) -> None:
    facts.write_text(json.dumps(json.loads(facts.read_text()) | {"conversation": 4}))


@pytest.mark.parametrize(
    "damage", [cut, turned, missing, untold, nonsense, no_object, newer, anothers]
)
def test_what_is_damaged_foreign_or_too_new_is_not_found_and_is_deleted(
    tmp_path: Path, damage: object
) -> None:
    kept = states(tmp_path)
    put(kept, tmp_path, 3)
    assert callable(damage)
    damage(tmp_path / "states" / f"3-{PRINT}.state", tmp_path / "states" / f"3-{PRINT}.json")
    assert kept.find(3, PRINT) is None
    assert names(tmp_path) == []


def test_the_least_recently_used_makes_room_and_the_bound_holds(tmp_path: Path) -> None:
    kept = states(tmp_path, bound_bytes=3500)
    for number in (1, 2):
        assert put(kept, tmp_path, number)
        for path in (tmp_path / "states").glob(f"{number}-*"):
            os.utime(path, (number, number))
    assert kept.find(1, PRINT)  # used now
    assert put(kept, tmp_path, 3, size=1200)
    assert kept.find(2, PRINT) is None
    assert kept.find(1, PRINT)
    assert kept.find(3, PRINT)
    assert 0 < kept.total_bytes() <= 3500


def test_one_over_the_bound_is_not_kept_and_costs_no_other_its_place(tmp_path: Path) -> None:
    kept = states(tmp_path, bound_bytes=4000)
    put(kept, tmp_path, 1)
    assert put(kept, tmp_path, 2, size=5000) == 0
    name = kept.begin(3, 10)  # it turns out larger than was thought
    assert name is not None
    (tmp_path / "states" / name).write_bytes(b"x" * 5000)
    assert kept.keep(name, 2, PRINT, KEPT) == 0
    kept.discard(name)
    assert names(tmp_path) == [f"1-{PRINT}.json", f"1-{PRINT}.state"]


def test_a_bound_of_nothing_keeps_nothing(tmp_path: Path) -> None:
    kept = states(tmp_path, bound_bytes=0)
    assert kept.begin(3, 0) is None


def test_a_full_disk_is_left_alone(tmp_path: Path) -> None:
    kept = states(tmp_path, left_bytes=2**60)
    assert kept.begin(3, 0) is None


def test_a_newer_state_of_a_talk_replaces_those_of_other_settings(tmp_path: Path) -> None:
    kept = states(tmp_path)
    put(kept, tmp_path, 3, fingerprint=OTHER)
    put(kept, tmp_path, 4, fingerprint=OTHER)
    put(kept, tmp_path, 3)
    assert kept.find(3, OTHER) is None
    assert kept.find(4, OTHER)
    assert kept.find(3, PRINT)


def test_a_forgotten_talk_leaves_nothing_even_if_it_is_being_written(tmp_path: Path) -> None:
    gone: set[int] = set()
    kept = states(tmp_path, is_there=lambda number: number not in gone)
    put(kept, tmp_path, 3)
    put(kept, tmp_path, 3, fingerprint=OTHER)
    put(kept, tmp_path, 4)
    name = kept.begin(3, 10)
    assert name is not None
    gone.add(3)
    kept.forget(3)
    (tmp_path / "states" / name).write_bytes(b"x" * 10)  # the engine opened it only now
    assert kept.keep(name, 3, PRINT, KEPT) == 0
    kept.discard(name)
    assert names(tmp_path) == [f"4-{PRINT}.json", f"4-{PRINT}.state"]


def test_forgetting_takes_what_another_process_is_writing_and_that_one_sees_it(
    tmp_path: Path,
) -> None:
    mine, others = states(tmp_path), states(tmp_path)
    name, fourth = others.begin(3, 10), others.begin(4, 10)
    assert name is not None
    assert fourth is not None
    (tmp_path / "states" / f"{name}.json").write_text("{}")
    mine.forget(3)
    assert names(tmp_path) == [fourth]
    assert others.keep(name, 3, PRINT, KEPT) == 0


@pytest.mark.parametrize("seen", ["no file yet", "its files"])
def test_one_that_is_forgotten_while_it_gets_its_name_is_not_kept(
    tmp_path: Path, seen: str
) -> None:
    """Whoever forgets looks for files once, and may do so just before or after."""
    mine = states(tmp_path)
    answers = iter([True, False])

    def is_there(number: int) -> bool:
        if seen == "its files":
            mine.forget(number)
        return next(answers)

    assert put(states(tmp_path, is_there=is_there), tmp_path, 3) == 0
    assert names(tmp_path) == []


def test_one_whose_conversation_cannot_be_asked_for_is_not_kept(tmp_path: Path) -> None:
    asked: list[int] = []

    def is_there(number: int) -> bool:
        asked.append(number)
        if len(asked) == 2:
            raise StoreBusy(path=tmp_path)
        return True

    kept = states(tmp_path, is_there=is_there)
    with pytest.raises(StoreBusy):
        put(kept, tmp_path, 3)
    assert names(tmp_path) == []


def test_what_is_here_of_conversations_that_are_gone_goes_at_the_opening(tmp_path: Path) -> None:
    before = states(tmp_path)
    for number in (3, 4, 5):
        put(before, tmp_path, number)
    (tmp_path / "states" / f"5-{PRINT}.json").unlink()
    (tmp_path / "states" / "notes.txt").write_text("a person's own")
    states(tmp_path, is_there=lambda number: number == 4)
    assert names(tmp_path) == [f"4-{PRINT}.json", f"4-{PRINT}.state", "notes.txt"]


@pytest.mark.parametrize(
    ("bound_bytes", "left"), [(0, []), (1500, ["4", "5"]), (10_000, ["3", "4", "5"])]
)
def test_a_smaller_bound_holds_from_the_opening_on(
    tmp_path: Path, bound_bytes: int, left: list[str]
) -> None:
    before = states(tmp_path)
    for number in (3, 4):
        put(before, tmp_path, number)
        for path in (tmp_path / "states").glob(f"{number}-*"):
            os.utime(path, (number, number))
    (tmp_path / "states" / f"5-{PRINT}.state").touch()  # one of no bytes
    states(tmp_path, bound_bytes)
    assert sorted({name.split("-")[0] for name in names(tmp_path)}) == left


def test_a_folder_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    kept = states(tmp_path)
    put(kept, tmp_path, 3)
    name = kept.begin(4, 10)
    assert name is not None
    shutil.rmtree(tmp_path / "states")
    assert kept.keep(name, 4, PRINT, KEPT) == 0
    kept.discard(name)
    assert put(kept, tmp_path, 3) == 0
    assert kept.find(3, PRINT) is None
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_another_home_in_its_place_is_none_of_its_business(tmp_path: Path) -> None:
    before = states(tmp_path)
    name = before.begin(3, 10)
    assert name is not None
    shutil.rmtree(tmp_path / "states")
    now = states(tmp_path)
    put(now, tmp_path, 3)
    put(now, tmp_path, 4)
    assert put(before, tmp_path, 5) == 0
    assert before.find(3, PRINT) is None
    before.drop(4, PRINT)
    (tmp_path / "states" / name).write_bytes(b"x" * 10)
    assert before.keep(name, 3, PRINT, KEPT) == 0
    before.discard(name)
    assert now.find(3, PRINT)
    assert now.find(4, PRINT)
    assert len(names(tmp_path)) == 4


def test_a_folder_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "states").mkdir(mode=0o755)
    states(tmp_path)
    assert stat.S_IMODE((tmp_path / "states").stat().st_mode) == 0o700


def test_a_place_without_a_folder_keeps_nothing(tmp_path: Path) -> None:
    nowhere = States(tmp_path / "missing", 10_000, 0)
    assert nowhere.begin(3, 10) is None
    nowhere.forget(3)
    assert list(tmp_path.iterdir()) == []


@contextmanager
def writing(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that writes a state of conversation 3 for as long as it lives."""
    program = (
        "import sys; from pathlib import Path; from lumbre.pool.talks.states import States\n"
        "folder = Path(sys.argv[1]); name = States(folder, 10_000, 0).begin(3, 10)\n"
        "(folder / name).write_text('secret'); print(name, flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder / "states")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_what_a_process_was_writing_when_it_was_killed_goes_at_the_opening(tmp_path: Path) -> None:
    states(tmp_path)
    with writing(tmp_path) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        states(tmp_path, bound_bytes=0)
        assert names(tmp_path) == [name]  # it lives
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and not reaped
        states(tmp_path, bound_bytes=0)
        assert names(tmp_path) == []


def test_what_an_earlier_process_of_the_same_number_had_begun_goes_at_the_opening(
    tmp_path: Path,
) -> None:
    """In a container every start may have the same number."""
    before = states(tmp_path)
    name = before.begin(3, 10)
    assert name is not None
    assert before.begin(3, 10) is not None
    assert name in names(tmp_path)  # what it has begun itself it leaves alone
    states(tmp_path)
    assert names(tmp_path) == []


def test_what_a_killed_process_had_begun_is_swept_away(tmp_path: Path) -> None:
    kept = states(tmp_path)
    left = tmp_path / "states" / f".new-{os.getppid()}-3-1"  # a number that somebody has again
    left.write_bytes(b"x")
    os.utime(left, (1, 1))
    (tmp_path / "states" / ".new-1-1").write_bytes(b"x")  # as lumbre named them before
    name = kept.begin(3, 10)
    assert name is not None
    kept.discard(name)
    assert names(tmp_path) == []

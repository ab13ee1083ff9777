"""What is kept of talks is whole, closed to others, within its bound, and gone when forgotten."""

import json
import os
import stat
from pathlib import Path

import pytest

from lumbre.pool.talks.states import Kept, States

PRINT, OTHER = "a" * 24, "b" * 24
KEPT = Kept("smollm2", tokens=12, prompt_tokens=8, said=("one", "two"))


def states(folder: Path, bound_bytes: int = 10_000, left_bytes: int = 0) -> States:
    return States(folder / "states", bound_bytes, left_bytes)


def put(
    kept: States, folder: Path, conversation: int, *, size: int = 1000, fingerprint: str = PRINT
) -> int:
    """A state of so many bytes; how many were kept."""
    name = kept.begin(size)
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
        name = kept.begin(10)
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
    name = kept.begin(10)  # it turns out larger than was thought
    assert name is not None
    (tmp_path / "states" / name).write_bytes(b"x" * 5000)
    assert kept.keep(name, 2, PRINT, KEPT) == 0
    kept.discard(name)
    assert names(tmp_path) == [f"1-{PRINT}.json", f"1-{PRINT}.state"]


def test_a_bound_of_nothing_keeps_nothing(tmp_path: Path) -> None:
    kept = states(tmp_path, bound_bytes=0)
    assert kept.begin(0) is None


def test_a_full_disk_is_left_alone(tmp_path: Path) -> None:
    kept = states(tmp_path, left_bytes=2**60)
    assert kept.begin(0) is None


def test_a_newer_state_of_a_talk_replaces_those_of_other_settings(tmp_path: Path) -> None:
    kept = states(tmp_path)
    put(kept, tmp_path, 3, fingerprint=OTHER)
    put(kept, tmp_path, 4, fingerprint=OTHER)
    put(kept, tmp_path, 3)
    assert kept.find(3, OTHER) is None
    assert kept.find(4, OTHER)
    assert kept.find(3, PRINT)


def test_a_forgotten_talk_leaves_nothing_even_if_it_is_being_written(tmp_path: Path) -> None:
    kept = states(tmp_path)
    put(kept, tmp_path, 3)
    put(kept, tmp_path, 3, fingerprint=OTHER)
    put(kept, tmp_path, 4)
    name = kept.begin(10)
    assert name is not None
    (tmp_path / "states" / name).write_bytes(b"x" * 10)
    kept.forget(3)
    assert kept.keep(name, 3, PRINT, KEPT) == 0
    kept.discard(name)
    assert names(tmp_path) == [f"4-{PRINT}.json", f"4-{PRINT}.state"]


def test_what_a_killed_process_had_begun_is_swept_away(tmp_path: Path) -> None:
    left = tmp_path / "states" / ".new-1-1"
    left.parent.mkdir()
    left.write_bytes(b"x")
    os.utime(left, (1, 1))
    kept = states(tmp_path)
    name = kept.begin(10)
    assert name is not None
    kept.discard(name)
    assert names(tmp_path) == []

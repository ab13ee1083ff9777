"""An archive is written whole or not at all, and one that lies is refused before it matters."""

import json
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.errors import BadArchive, DiskFull
from lumbre.store.archive import FORMAT, Allowed, Contents, is_archive, unpack, write

ALLOWED = Allowed(("lumbre.db",), "registry", ".yaml")
SAID = Contents("9.9", "2026-11-20T10:00:00+0000", {"knowledge": 1})


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "in").mkdir()
    made = {"lumbre.db": os.urandom(70_000), "registry/a b.yaml": "имя: да\n".encode()}
    found = {}
    for number, (name, data) in enumerate(made.items()):
        found[name] = tmp_path / "in" / str(number)
        found[name].write_bytes(data)
    return found


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_what_went_in_comes_out(files: dict[str, Path], tmp_path: Path, out: Path) -> None:
    target = tmp_path / "all.zip"
    told = write(target, files, SAID)
    assert target.stat().st_mode & 0o777 == 0o600
    assert is_archive(target)
    contents, found = unpack(target, out, ALLOWED)
    assert contents == told
    assert (contents.lumbre, contents.schemas) == ("9.9", {"knowledge": 1})
    assert {name: path.read_bytes() for name, path in found.items()} == {
        name: path.read_bytes() for name, path in files.items()
    }
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in found.values())


def test_an_archive_that_does_not_fit_leaves_nothing(
    small_disk: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(4 << 20))
    with pytest.raises(DiskFull):
        write(small_disk / "all.zip", {"lumbre.db": large}, SAID)
    assert list(small_disk.iterdir()) == []
    write(tmp_path / "all.zip", {"lumbre.db": large}, SAID)
    with pytest.raises(DiskFull):
        unpack(tmp_path / "all.zip", small_disk, ALLOWED)
    assert list(small_disk.iterdir()) == []


def test_a_place_that_is_not_there_is_named(files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(BadArchive, match=r"all\.zip"):
        write(tmp_path / "nowhere" / "all.zip", files, SAID)


Change = Callable[[dict[str, Any], dict[str, bytes]], None]


def rewritten(source: Path, target: Path, change: Change) -> Path:
    """The archive with its contents.json and members changed by hand."""
    with zipfile.ZipFile(source) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    told = json.loads(members.pop("contents.json"))
    change(told, members)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("contents.json", json.dumps(told))
        for name, data in members.items():
            archive.writestr(name, data)
    return target


def _newer(told: dict[str, Any], _: dict[str, bytes]) -> None:
    told["format"] = FORMAT + 1


def _changed(_: dict[str, Any], members: dict[str, bytes]) -> None:
    members["lumbre.db"] = members["lumbre.db"][:-1] + b"!"


def _longer(_: dict[str, Any], members: dict[str, bytes]) -> None:
    members["lumbre.db"] += b"more"


def _shorter(_: dict[str, Any], members: dict[str, bytes]) -> None:
    members["lumbre.db"] = members["lumbre.db"][:-1]


def _missing(_: dict[str, Any], members: dict[str, bytes]) -> None:
    del members["lumbre.db"]


def _extra(_: dict[str, Any], members: dict[str, bytes]) -> None:
    members["weights/evil.gguf"] = b"GGUF"


def _named(name: str) -> Change:
    def change(told: dict[str, Any], members: dict[str, bytes]) -> None:
        members[name] = members.pop("registry/a b.yaml")
        told["members"][1]["name"] = name

    return change


def _bomb(told: dict[str, Any], members: dict[str, bytes]) -> None:
    members["lumbre.db"] = bytes(40 << 20)
    told["members"][0]["size_bytes"] = 40 << 20


def _silent_bomb(_: dict[str, Any], members: dict[str, bytes]) -> None:
    members["lumbre.db"] = bytes(40 << 20)


def _no_members(told: dict[str, Any], _: dict[str, bytes]) -> None:
    told["members"] = {"lumbre.db": 1}


@pytest.mark.parametrize(
    "change",
    [
        _newer,
        _changed,
        _longer,
        _shorter,
        _missing,
        _extra,
        _bomb,
        _silent_bomb,
        _no_members,
        _named("../evil.yaml"),
        _named("/etc/evil.yaml"),
        _named("registry/../../evil.yaml"),
        _named("registry/sub/evil.yaml"),
        _named("registry\\..\\evil.yaml"),
        _named("registry/.hidden.yaml"),
        _named("config.toml.yaml"),
        _named("registry/run.sh"),
    ],
    ids=lambda change: change.__qualname__.split(".")[0],
)
def test_an_archive_that_lies_is_refused_and_writes_nowhere_else(
    change: Change, files: dict[str, Path], tmp_path: Path, out: Path
) -> None:
    write(tmp_path / "all.zip", files, SAID)
    bad = rewritten(tmp_path / "all.zip", tmp_path / "bad.zip", change)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BadArchive) as refused:
        unpack(bad, out, ALLOWED)
    assert "bad.zip" in refused.value.message("es")
    assert sum(path.stat().st_size for path in out.iterdir()) < 1 << 20
    assert [path for path in sorted(tmp_path.rglob("*")) if path.parent != out] == before


def test_a_name_that_stands_in_it_twice_is_refused(
    files: dict[str, Path], tmp_path: Path, out: Path
) -> None:
    write(tmp_path / "all.zip", files, SAID)
    with zipfile.ZipFile(tmp_path / "all.zip", "a") as archive, pytest.warns(UserWarning):
        archive.writestr("lumbre.db", b"another")
    with pytest.raises(BadArchive):
        unpack(tmp_path / "all.zip", out, ALLOWED)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        assert not is_archive(Path(file.name))


@pytest.mark.parametrize("cut", [10, 100, 1000, -30])
def test_a_piece_of_an_archive_is_refused(
    cut: int, files: dict[str, Path], tmp_path: Path, out: Path
) -> None:
    write(tmp_path / "all.zip", files, SAID)
    (tmp_path / "cut.zip").write_bytes((tmp_path / "all.zip").read_bytes()[:cut])
    with pytest.raises(BadArchive):
        unpack(tmp_path / "cut.zip", out, ALLOWED)


def test_a_folder_or_a_device_is_no_archive(tmp_path: Path, out: Path) -> None:
    for path in (tmp_path, tmp_path / "none", Path("/dev/null")):
        with pytest.raises(BadArchive):
            unpack(path, out, ALLOWED)

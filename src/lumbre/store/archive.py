"""Put files into one archive that says what is in it; take them out of one that may lie.

The archive is a zip. Its first member, contents.json, names every other one with its size
and sha256; nothing else in it is looked at, and no name in it ever decides where a byte goes.
"""

import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lumbre.core.errors import BadArchive, DiskFull, HomeNotUsable
from lumbre.words import Sentence

FORMAT = 1
_CONTENTS = "contents.json"
_LONGEST_CONTENTS_BYTES = 1 << 20
_PIECE_BYTES = 1 << 20
_MOST_TIMES = 200
_SMALL_BYTES = 16 << 20
"""A member that unpacks to more than both is a bomb: a database packs to about a third."""
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What an archive says of itself."""

    lumbre: str
    """The version that wrote it."""
    made: str
    """When, ISO 8601."""
    schemas: Mapping[str, int] = field(default_factory=dict)
    """Part of the database -> version of its tables."""
    members: tuple[Member, ...] = ()
    format: int = FORMAT


def write(target: Path, files: Mapping[str, Path], contents: Contents) -> Contents:
    """Write these files into an archive, by name, for its owner alone. Whole or not at all.

    Raises:
        DiskFull: it does not fit.
        BadArchive: the place cannot be written.
    """
    partial = None
    try:
        handle, name = tempfile.mkstemp(prefix=".lumbre-", suffix=".partial", dir=target.parent)
        partial = Path(name)
        members = tuple(
            Member(name, file.stat().st_size, _sha256(file)) for name, file in files.items()
        )
        told = Contents(contents.lumbre, contents.made, contents.schemas, members)
        with os.fdopen(handle, "wb") as out:
            with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(_info(_CONTENTS), json.dumps(asdict(told), indent=1))
                for name, file in files.items():
                    with file.open("rb") as source, archive.open(_info(name), "w") as packed:
                        while piece := source.read(_PIECE_BYTES):
                            packed.write(piece)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(target)
    except OSError as error:
        refused = _refused(target, error, sum(file.stat().st_size for file in files.values()))
        if isinstance(refused, DiskFull):
            raise refused from error
        raise BadArchive(path=target, reason=error.strerror or str(error)) from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)
    return told


def contents_of(path: Path) -> Contents:
    """What an archive says of itself; nothing of it is checked.

    Raises:
        BadArchive: it is no archive of ours, or of a newer format.
    """
    with _opened(path) as archive:
        return _contents(path, archive)


def is_archive(path: Path) -> bool:
    """Whether a file is such an archive, as far as its first member tells."""
    with suppress(BadArchive):
        return contents_of(path).format > 0
    return False


def unpack(path: Path, into: Path, allowed: "Allowed") -> tuple[Contents, dict[str, Path]]:
    """Take every member out, into a folder of ours that is empty: name -> file.

    `allowed` says which names may be in it.

    Raises:
        BadArchive: it is no archive of ours, of a newer format, damaged, or not what it says.
        DiskFull: what it holds does not fit.
    """
    with _opened(path) as archive:
        contents = _contents(path, archive)
        _check_names(path, archive, contents, allowed)
        need_bytes = sum(member.size_bytes for member in contents.members)
        stat = os.statvfs(into)
        free_bytes = stat.f_bavail * stat.f_frsize
        if need_bytes > free_bytes:
            raise DiskFull(path=into, need_bytes=need_bytes, free_bytes=free_bytes)
        found = {}
        for number, member in enumerate(contents.members):
            found[member.name] = into / f"{number}"
            _unpack(path, archive, member, found[member.name])
    return contents, found


class Allowed:
    """Which names may be in an archive."""

    def __init__(self, names: tuple[str, ...], folder: str, ending: str) -> None:
        """`names`, and files with this ending right in `folder`."""
        self._names = names
        self._folder = folder + "/"
        self._ending = ending

    def __call__(self, name: str) -> bool:
        if name in self._names:
            return True
        plain = name.removeprefix(self._folder)
        return (
            plain != name
            and plain.isprintable()
            and not set(plain) & set("/\\\0")
            and not plain.startswith(".")
            and plain.endswith(self._ending)
            and len(os.fsencode(plain)) <= 200
        )


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except OSError as error:
        raise BadArchive(path=path, reason=error.strerror or str(error)) from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise BadArchive(path=path, reason=Sentence("errors.bad_archive.not_one")) from error


def _contents(path: Path, archive: zipfile.ZipFile) -> Contents:
    try:
        info = archive.getinfo(_CONTENTS)
        with archive.open(info) as member:
            data = member.read(_LONGEST_CONTENTS_BYTES + 1)
        if len(data) > _LONGEST_CONTENTS_BYTES:
            raise ValueError("too long")
        told: dict[str, Any] = json.loads(data)
        version = int(told["format"])
        if version > FORMAT:
            newer = Sentence("errors.bad_archive.newer", version=told.get("lumbre"))
            raise BadArchive(path=path, reason=newer)
        members = tuple(
            Member(str(m["name"]), int(m["size_bytes"]), str(m["sha256"])) for m in told["members"]
        )
        schemas = {str(part): int(steps) for part, steps in told["schemas"].items()}
        return Contents(str(told["lumbre"]), str(told["made"]), schemas, members, version)
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError, *_DAMAGED) as error:
        raise BadArchive(path=path, reason=Sentence("errors.bad_archive.not_one")) from error


_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)


def _check_names(
    path: Path, archive: zipfile.ZipFile, contents: Contents, allowed: Allowed
) -> None:
    told = [member.name for member in contents.members]
    there = [info.filename for info in archive.infolist()]
    strange = [name for name in told if not allowed(name)]
    if strange or sorted(there) != sorted([_CONTENTS, *told]) or len(set(there)) != len(there):
        name = next(iter(strange or set(there) ^ {_CONTENTS, *told} or there))
        raise BadArchive(path=path, reason=Sentence("errors.bad_archive.strange", name=name))
    for member in contents.members:
        packed_bytes = archive.getinfo(member.name).compress_size
        if member.size_bytes < 0 or (
            member.size_bytes > max(_SMALL_BYTES, _MOST_TIMES * packed_bytes)
        ):
            bomb = Sentence("errors.bad_archive.bomb", name=member.name)
            raise BadArchive(path=path, reason=bomb)


def _unpack(path: Path, archive: zipfile.ZipFile, member: Member, into: Path) -> None:
    digest = hashlib.sha256()
    left_bytes = member.size_bytes
    wrong = Sentence("errors.bad_archive.wrong", name=member.name)
    handle = os.open(into, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as out:
        try:
            with archive.open(member.name) as packed:
                while piece := packed.read(_PIECE_BYTES):
                    left_bytes -= len(piece)
                    if left_bytes < 0:
                        break
                    digest.update(piece)
                    _keep(out, piece, into, member.size_bytes)
        except _DAMAGED as error:
            raise BadArchive(path=path, reason=wrong) from error
        if left_bytes or digest.hexdigest() != member.sha256:
            raise BadArchive(path=path, reason=wrong)
        out.flush()
        os.fsync(out.fileno())


def _keep(out: Any, piece: bytes, into: Path, need_bytes: int) -> None:
    try:
        out.write(piece)
    except OSError as error:
        raise _refused(into, error, need_bytes) from error


def _refused(path: Path, error: OSError, need_bytes: int) -> DiskFull | HomeNotUsable:
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        stat = os.statvfs(path.parent)
        free_bytes = stat.f_bavail * stat.f_frsize
        return DiskFull(path=path, need_bytes=need_bytes, free_bytes=free_bytes)
    return HomeNotUsable(path=path, reason=error.strerror or str(error))


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    return info


def _sha256(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()

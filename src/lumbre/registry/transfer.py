"""What has come of a file so far, kept on disk so that an interruption costs little.

A file that is still coming lies beside its place: `NAME.partial` holds the bytes,
`NAME.partial.json` says whose they are, `NAME.parts` is scratch room of a source. Bytes of
two sources are never mixed: whoever begins anew empties the partial file first.
"""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from lumbre.core.errors import DiskFull, HomeNotUsable

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
Write = Callable[[bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Whose bytes the partial file holds."""

    source: str
    tag: str = ""
    """What the source said tells this content from another: an ETag, a date ..."""
    total_bytes: int | None = None
    parts: int = 0
    """How many parts have come whole."""
    parts_bytes: int = 0
    """Where the last whole part ends in the partial file."""


_RECEIPT = TypeAdapter(Receipt)


class Partial:
    """A file on its way to `final`.

    Raises, from everything that writes:
        DiskFull: no room; what has come is kept.
        HomeNotUsable: the folder cannot be written.
    """

    def __init__(self, final: Path, expected_bytes: int | None = None) -> None:
        self.final = final
        self.expected_bytes = expected_bytes
        self.path, self._note, self.scratch = leftovers(final)
        self._fresh_note = self._note.with_name(self._note.name + ".new")

    @property
    def size_bytes(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def receipt(self) -> Receipt | None:
        """Whose bytes these are; None when there are none, or nobody can tell."""
        try:
            return _RECEIPT.validate_json(self._note.read_bytes())
        except (OSError, ValidationError):
            return None

    def belongs_to(self, source: str) -> bool:
        receipt = self.receipt()
        return receipt is not None and receipt.source == source

    def begin(self, receipt: Receipt) -> None:
        """Forget what came before and let a source start from its first byte."""
        with self.disk():
            self.path.write_bytes(b"")
        self._write_note(receipt)

    @contextmanager
    def writing(self, at_bytes: int) -> Iterator[Write]:
        """Append after `at_bytes`; what lay behind is cut off."""
        with self.disk():
            target = self.path.open("r+b", buffering=0)
        with target:
            with self.disk():
                target.truncate(at_bytes)
                target.seek(at_bytes)

            def write(data: bytes) -> None:
                rest = memoryview(data)
                with self.disk():
                    while rest:
                        rest = rest[target.write(rest) :]

            yield write

    def cut(self, at_bytes: int) -> None:
        """Let go of what lies behind `at_bytes`."""
        with self.disk():
            os.truncate(self.path, at_bytes)

    def keep(self, receipt: Receipt) -> None:
        """Note progress that survives kill -9 and a power cut."""
        with self.disk():
            _sync(self.path)
        self._write_note(receipt)

    def finish(self) -> None:
        """Put the file in its place, in one step."""
        with self.disk():
            _sync(self.path)
            self.path.replace(self.final)
            with suppress(OSError):  # some file systems cannot sync a folder
                _sync(self.final.parent)
        self.discard()

    def discard(self) -> None:
        """Delete everything that has come."""
        self.clear_scratch()
        with self.disk():
            for left in (self._fresh_note, self._note, self.path):
                left.unlink(missing_ok=True)

    def fresh_scratch(self) -> Path:
        """An empty folder on the same disk, for a source's own files."""
        self.clear_scratch()
        with self.disk():
            self.scratch.mkdir()
        return self.scratch

    def clear_scratch(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)

    def disk_full(self, need_bytes: int) -> DiskFull:
        """The error that names the folder and its figures."""
        folder = self.final.parent
        return DiskFull(path=folder, need_bytes=need_bytes, free_bytes=free_bytes(folder))

    def _write_note(self, receipt: Receipt) -> None:
        with self.disk():
            self._fresh_note.write_text(json.dumps(asdict(receipt)), encoding="utf-8")
            _sync(self._fresh_note)
            self._fresh_note.replace(self._note)

    @contextmanager
    def disk(self) -> Iterator[None]:
        """Name what the disk refuses."""
        try:
            yield
        except OSError as error:
            if error.errno in _NO_ROOM:
                still = max(1, (self.expected_bytes or 0) - self.size_bytes)
                raise self.disk_full(still) from error
            raise _unusable(self.final.parent, error) from error


def leftovers(final: Path) -> tuple[Path, Path, Path]:
    """What a pull that did not end leaves beside the file: bytes, note, scratch folder."""
    partial, note, scratch = (
        final.with_name(final.name + ending) for ending in (".partial", ".partial.json", ".parts")
    )
    return partial, note, scratch


def free_bytes(folder: Path) -> int:
    """Bytes a person may still write where a folder is, or is going to be."""
    there = next((f for f in (folder, *folder.parents) if f.is_dir()), Path("/"))
    return shutil.disk_usage(there).free


@contextmanager
def only_one(final: Path, occupied: Callable[[], None]) -> Iterator[None]:
    """Hold the right to change a file; `occupied` is called once when another has it.

    The right is given back by the system when its holder dies.

    Raises:
        HomeNotUsable: the folder cannot be written.
    """
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(final.with_name(f".{final.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            occupied()
            lock.acquire()
    except OSError as error:
        raise _unusable(final.parent, error) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name a file that is there and cannot be read.

    Raises:
        HomeNotUsable: with the system's reason.
    """
    try:
        yield
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> HomeNotUsable:
    return HomeNotUsable(path=path, reason=error.strerror or str(error))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

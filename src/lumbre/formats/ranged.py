"""A file that is read in pieces, wherever it lies.

One on this machine is opened here; one that a server keeps is handed in from above, by
whoever knows how to ask that server.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from lumbre.core.errors import BadWeights
from lumbre.words import Sentence

_FIRST_BYTES = 1 << 20
_MOST_BYTES = 16 << 20
"""A piece read ahead is twice as long as the one before: most headers are one or two."""


class Ranged(Protocol):
    """The bytes of one file, any of them at any time."""

    @property
    def size_bytes(self) -> int:
        """Of the whole file. It does not change."""
        ...

    def read(self, at_bytes: int, count_bytes: int, /) -> bytes:
        """So many bytes from there on; fewer only where the file ends."""
        ...


class Local:
    """An open file."""

    def __init__(self, file: BinaryIO) -> None:
        self.size_bytes = os.fstat(file.fileno()).st_size
        self._file = file

    def read(self, at_bytes: int, count_bytes: int, /) -> bytes:
        self._file.seek(at_bytes)
        return self._file.read(count_bytes)


@contextmanager
def local(path: Path) -> Iterator[Local]:
    """A file of this machine, closed in the end.

    Raises:
        BadWeights: it is no regular file, or cannot be read.
    """
    try:
        # A pipe would keep us waiting for a writer: the kind of file is asked first.
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadWeights(path=path, reason=Sentence("gguf.not_a_file"))
        with path.open("rb", buffering=0) as file:
            yield Local(file)
    except OSError as error:
        why = error.strerror or str(error)
        raise BadWeights(path=path, reason=Sentence("gguf.unreadable", why=why)) from error


class Forward:
    """Reads a file from its beginning on, a piece ahead of what is asked for."""

    def __init__(self, file: Ranged, most_bytes: int) -> None:
        """Never beyond `most_bytes`, whatever is asked for."""
        self._file = file
        self._end_bytes = min(file.size_bytes, most_bytes)
        self._piece = memoryview(b"")
        self._at_bytes = 0
        """Of the piece's end in the file."""
        self._next_bytes = _FIRST_BYTES

    def read(self, count_bytes: int) -> bytes:
        """The next bytes; fewer where the file turns out to be shorter than it said."""
        data = bytes(self.ahead(count_bytes)[:count_bytes])
        self._piece = self._piece[count_bytes:]
        return data

    def ahead(self, count_bytes: int) -> memoryview:
        """What has been fetched already and comes next; so many bytes at least, where there are."""
        if count_bytes > len(self._piece):
            self._fetch(count_bytes)
        return self._piece

    def skip(self, count_bytes: int) -> None:
        """Go on behind the next bytes. What was not read yet is not read at all."""
        beyond_bytes = count_bytes - len(self._piece)
        self._piece = self._piece[count_bytes:]
        if beyond_bytes > 0:
            self._at_bytes += beyond_bytes

    def _fetch(self, count_bytes: int) -> None:
        missing_bytes = count_bytes - len(self._piece)
        left_bytes = max(self._end_bytes - self._at_bytes, 0)
        wanted_bytes = min(max(missing_bytes, self._next_bytes), left_bytes)
        data = self._file.read(self._at_bytes, wanted_bytes) if wanted_bytes else b""
        self._piece = memoryview(bytes(self._piece) + data[:wanted_bytes])
        self._at_bytes += len(data)
        self._next_bytes = min(2 * self._next_bytes, _MOST_BYTES)

"""A database that is only looked at: nothing is made beside it, nothing in it changes."""

from pathlib import Path
from urllib.parse import quote

import apsw

from lumbre.store import Schema, Store


class LookingStore(Store):
    """The store of a file, to read from in one thread; with no file, an empty one in memory."""

    def __init__(self, path: Path | None, *steps: str) -> None:
        self.path = path or Path(":memory:")
        self._is_empty = path is None
        self._steps = steps
        self._connection: apsw.Connection | None = None

    def connection(self) -> apsw.Connection:
        if self._connection is None:
            self._connection = self._open_memory() if self._is_empty else self._open_file()
        return self._connection

    def bring(self, schema: Schema) -> None:
        """Nothing: a table that is not there is not made."""

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open_file(self) -> apsw.Connection:
        """Read only; where nothing waits in the log also without the files of one that writes.

        Source: https://www.sqlite.org/wal.html, Read-Only Databases.
        """
        log = Path(f"{self.path}-wal")
        how = "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        connection = apsw.Connection(f"file:{quote(str(self.path.absolute()))}?{how}", flags=flags)
        connection.set_busy_timeout(500)
        return connection

    def _open_memory(self) -> apsw.Connection:
        connection = apsw.Connection(":memory:")
        for step in self._steps:
            connection.execute(step)
        return connection

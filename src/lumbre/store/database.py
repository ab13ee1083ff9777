"""Keep what lumbre knows in one SQLite file that survives kill -9 and upgrades.

A part that owns tables hands in a `Schema`: its migrations, oldest first, never edited
once released. The store runs those that are missing, one transaction each, and remembers
the count by part. Write-ahead logging lets readers go on while one writer writes.
"""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import apsw

from lumbre.core.errors import HomeNotUsable, LumbreError, StoreBusy, StoreDamaged, StoreFull

_WAIT_MS = 30_000
"""How long one process waits for another's transaction before it is an error."""

_LITTLE_BYTES = 2**20
"""With less than this free an input/output error is a full disk: SQLite cannot always tell."""

_APPLICATION_ID = 0x6C756D62
"""SQLite's mark of whose file this is: "lumb" in ASCII."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of one part, as the list of steps that made them."""

    part: str
    migrations: tuple[str, ...]
    """SQL scripts; step n brings the part to version n + 1."""


class Store:
    """One SQLite file, opened once per thread.

    Raises:
        StoreDamaged: not a database, another program's, or written by a newer lumbre.
        HomeNotUsable: it cannot be opened or made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._threads = threading.local()
        self._opened: list[apsw.Connection] = []
        self._lock = threading.Lock()
        self._create()
        self._check_owner()

    def connection(self) -> apsw.Connection:
        """This thread's connection, with SQLite's own errors."""
        found: apsw.Connection | None = getattr(self._threads, "connection", None)
        if found is None:
            found = self._threads.connection = self._open()
        return found

    @contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """This thread's connection; rows are to be taken within the block.

        Raises:
            StoreFull, StoreBusy, StoreDamaged, HomeNotUsable: what SQLite ran into.
        """
        try:
            yield self.connection()
        except apsw.Error as error:
            if meant := _meaning(self.path, error):
                raise meant from error
            raise

    @contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """One transaction that holds the right to write; all of it lands, or none.

        A block within another of the same thread is a part of that one.

        Raises:
            StoreFull, StoreBusy, StoreDamaged, HomeNotUsable: none of it landed.
        """
        with self.reading() as connection:
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # SQLite may have rolled back by itself
                    connection.execute("ROLLBACK")
                raise

    def bring(self, schema: Schema) -> None:
        """Make a part's tables as new as this program.

        Raises:
            StoreDamaged: the file is newer than this program.
        """
        with self.writing() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS schema_versions"
                " (part TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT"
            )
            version = self.version(schema.part)
            if version > len(schema.migrations):
                raise StoreDamaged(
                    path=self.path,
                    reason=f"{schema.part} is version {version}, this program knows"
                    f" {len(schema.migrations)}",
                )
            for step in schema.migrations[version:]:
                for _ in connection.execute(step):
                    pass
            connection.execute(
                "INSERT INTO schema_versions VALUES (?1, ?2)"
                " ON CONFLICT (part) DO UPDATE SET version = ?2",
                (schema.part, len(schema.migrations)),
            )

    def version(self, part: str) -> int:
        """How many steps of a part this file has seen; 0 when none."""
        with self.reading() as connection:
            rows = list(
                connection.execute("SELECT version FROM schema_versions WHERE part = ?", (part,))
            )
        return next((int(version) for (version,) in rows), 0)

    def copy(self, target: Path) -> None:
        """Write the database as it is at one moment to a new file, while others use it.

        Raises:
            StoreFull, HomeNotUsable: there is no room for it, or it cannot be written.
        """
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        with (
            self.reading() as connection,
            closing(apsw.Connection(str(target))) as copied,
            copied.backup("main", connection, "main") as backup,
        ):
            while not backup.done:
                backup.step()

    def close(self) -> None:
        """Close every thread's connection. No transaction may be open. One that a thread is in
        the middle of using goes with its process.
        """
        with self._lock:
            for connection in self._opened:
                with suppress(apsw.ThreadingViolationError):
                    connection.close()
            self._opened.clear()
            self._threads = threading.local()

    def _open(self) -> apsw.Connection:
        connection = apsw.Connection(str(self.path))
        try:
            connection.set_busy_timeout(_WAIT_MS)
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",
                "foreign_keys=ON",
                "secure_delete=ON",
            ):
                connection.execute(f"PRAGMA {pragma}")
        except apsw.Error:
            connection.close()
            raise
        with self._lock:
            self._opened.append(connection)
        return connection

    def _create(self) -> None:
        """An empty file for its owner alone; what SQLite puts beside it takes its mode.

        Never opened by us when it is there: closing it would drop SQLite's locks.
        """
        try:
            made = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return
        except OSError as error:
            raise HomeNotUsable(path=self.path, reason=error.strerror or str(error)) from error
        try:
            os.fchmod(made, 0o600)
        finally:
            os.close(made)

    def _check_owner(self) -> None:
        with self.reading() as connection:
            ((owner,),) = connection.execute("PRAGMA application_id")
            ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_schema")
            if owner not in (0, _APPLICATION_ID) or (owner == 0 and tables):
                raise StoreDamaged(path=self.path, reason="it belongs to another program")
            if owner == 0:
                connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        for beside in ("", "-wal", "-shm"):
            with suppress(OSError):
                Path(f"{self.path}{beside}").chmod(0o600)


def _meaning(path: Path, error: apsw.Error) -> LumbreError | None:
    """What a person should know; None for a mistake of ours."""
    free_bytes = shutil.disk_usage(path.parent).free if path.parent.is_dir() else 0
    match error:
        case apsw.FullError():
            return StoreFull(path=path, free_bytes=free_bytes)
        case apsw.IOError() if free_bytes < _LITTLE_BYTES:
            return StoreFull(path=path, free_bytes=free_bytes)
        case apsw.BusyError() | apsw.LockedError():
            return StoreBusy(path=path)
        case apsw.CorruptError() | apsw.NotADBError() | apsw.FormatError():
            return StoreDamaged(path=path, reason=str(error))
        case apsw.IOError() | apsw.CantOpenError() | apsw.ReadOnlyError() | apsw.PermissionsError():
            return HomeNotUsable(path=path, reason=str(error))
    return None

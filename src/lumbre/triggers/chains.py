"""Keep which triggers are at work: those that are broken off are told at the next start."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass

import psutil

from lumbre.store import Schema, Store
from lumbre.words import Sentence

SCHEMA = Schema(
    part="trigger_chains",
    migrations=(
        """
        CREATE TABLE trigger_chains (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            trigger TEXT NOT NULL,
            model TEXT NOT NULL,
            begun REAL NOT NULL,        -- seconds since the epoch
            pid INTEGER NOT NULL,       -- the household's
            born REAL NOT NULL,         -- when that process began, as the system tells it
            broken INTEGER NOT NULL     -- 1: its household ended before it was answered
        ) STRICT;
        """,
    ),
)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A trigger that a household took with it when it ended. Its text is not kept."""

    trigger: str
    model: str
    begun: float
    """Seconds since the epoch."""

    def told(self) -> Sentence:
        """As a person reads it."""
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.begun))
        return Sentence("triggers.unfinished", trigger=self.trigger, model=self.model, when=when)


class Chains:
    """The triggers at work, as they are on disk. Several households may share the file."""

    def __init__(self, store: Store) -> None:
        store.bring(SCHEMA)
        self._store = store
        self._pid = os.getpid()
        self._born = psutil.Process().create_time()

    def begin(self, trigger: str, model: str) -> int:
        """Write one down; the number under which it is finished."""
        with self._store.writing() as connection:
            connection.execute(
                "INSERT INTO trigger_chains (trigger, model, begun, pid, born, broken)"
                " VALUES (?, ?, ?, ?, ?, 0)",
                (trigger, model, time.time(), self._pid, self._born),
            )
            return connection.last_insert_rowid()

    def finish(self, number: int) -> None:
        """It has been answered."""
        with self._store.writing() as connection:
            connection.execute("DELETE FROM trigger_chains WHERE id = ?", (number,))

    def break_off(self, number: int) -> None:
        """It was not, and the household ends."""
        with self._store.writing() as connection:
            connection.execute("UPDATE trigger_chains SET broken = 1 WHERE id = ?", (number,))

    def take_unfinished(self) -> list[Unfinished]:
        """Those that were broken off, and those of households that died; each is told once."""
        left = []
        with self._store.writing() as connection:
            rows = list(
                connection.execute(
                    "SELECT id, broken, pid, born, trigger, model, begun"
                    " FROM trigger_chains ORDER BY begun, id"
                )
            )
            for number, broken, pid, born, *told in rows:
                if broken or not _lives(pid, born):
                    connection.execute("DELETE FROM trigger_chains WHERE id = ?", (number,))
                    left.append(Unfinished(*told))
        return left


def _lives(pid: int, born: float) -> bool:
    """Whether this very process is still there: numbers are given again."""
    with suppress(psutil.Error):
        return psutil.Process(pid).create_time() == born
    return False

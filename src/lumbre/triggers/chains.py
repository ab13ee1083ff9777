"""Keep which triggers are at work: those that are broken off are told at the next start."""

import time
from dataclasses import dataclass

from lumbre.store import Schema, Store
from lumbre.words import Sentence

SCHEMA = Schema(
    part="triggers",
    migrations=(
        """
        CREATE TABLE chains (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            trigger TEXT NOT NULL,
            model TEXT NOT NULL,
            begun REAL NOT NULL         -- seconds since the epoch
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
    """The triggers at work, as they are on disk."""

    def __init__(self, store: Store) -> None:
        store.bring(SCHEMA)
        self._store = store

    def begin(self, trigger: str, model: str) -> int:
        """Write one down; the number under which it is finished."""
        with self._store.writing() as connection:
            connection.execute(
                "INSERT INTO chains (trigger, model, begun) VALUES (?, ?, ?)",
                (trigger, model, time.time()),
            )
            return connection.last_insert_rowid()

    def finish(self, number: int) -> None:
        """It has been answered."""
        with self._store.writing() as connection:
            connection.execute("DELETE FROM chains WHERE id = ?", (number,))

    def take_unfinished(self) -> list[Unfinished]:
        """Those of a household that is gone, oldest first. Told once: call at the start."""
        with self._store.writing() as connection:
            rows = list(
                connection.execute("SELECT trigger, model, begun FROM chains ORDER BY begun, id")
            )
            connection.execute("DELETE FROM chains")
        return [Unfinished(*row) for row in rows]

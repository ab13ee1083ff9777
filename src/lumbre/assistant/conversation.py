"""Keep what was said, so that a talk can go on tomorrow."""

import time
from dataclasses import dataclass

from lumbre.core.errors import UnknownConversation
from lumbre.core.messages import Message, Speaker
from lumbre.store import Schema, Store

SCHEMA = Schema(
    part="conversations",
    migrations=(
        """
        CREATE TABLE conversations (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            begun REAL NOT NULL,        -- seconds since the epoch
            used REAL NOT NULL
        ) STRICT;
        CREATE TABLE turns (
            conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
            number INTEGER NOT NULL,
            role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
            text TEXT NOT NULL,
            PRIMARY KEY (conversation, number)
        ) STRICT, WITHOUT ROWID;
        """,
    ),
)


@dataclass(frozen=True, slots=True)
class Conversation:
    """One talk, oldest turn first."""

    id: int
    turns: tuple[Message, ...]


class Conversations:
    """Every talk there was."""

    def __init__(self, store: Store) -> None:
        store.bring(SCHEMA)
        self._store = store

    def begin(self) -> int:
        """A new talk's number."""
        with self._store.writing() as connection:
            connection.execute(
                "INSERT INTO conversations (begun, used) VALUES (?1, ?1)", (time.time(),)
            )
            return connection.last_insert_rowid()

    def last(self) -> int:
        """The talk that was used last.

        Raises:
            UnknownConversation: there was none.
        """
        with self._store.reading() as connection:
            rows = list(
                connection.execute(
                    "SELECT id FROM conversations ORDER BY used DESC, id DESC LIMIT 1"
                )
            )
        for (number,) in rows:
            return int(number)
        raise UnknownConversation()

    def has(self, number: int) -> bool:
        """Whether there is a talk with this number."""
        with self._store.reading() as connection:
            known = connection.execute("SELECT 1 FROM conversations WHERE id = ?", (number,))
            return bool(list(known))

    def get(self, number: int) -> Conversation:
        """A talk with all its turns.

        Raises:
            UnknownConversation: no talk has this number.
        """
        with self._store.reading() as connection, connection:
            known = connection.execute("SELECT 1 FROM conversations WHERE id = ?", (number,))
            if not list(known):
                raise UnknownConversation()
            rows = list(
                connection.execute(
                    "SELECT role, text FROM turns WHERE conversation = ? ORDER BY number",
                    (number,),
                )
            )
        return Conversation(number, tuple(Message(_speaker(role), text) for role, text in rows))

    def add(self, number: int, *turns: Message) -> None:
        """Append turns, all or none.

        Raises:
            UnknownConversation: it was deleted.
        """
        with self._store.writing() as connection:
            connection.execute(
                "UPDATE conversations SET used = ? WHERE id = ?", (time.time(), number)
            )
            if not connection.changes():
                raise UnknownConversation()
            ((count,),) = connection.execute(
                "SELECT count(*) FROM turns WHERE conversation = ?", (number,)
            )
            for offset, turn in enumerate(turns):
                connection.execute(
                    "INSERT INTO turns VALUES (?, ?, ?, ?)",
                    (number, count + offset, turn.role, turn.text),
                )

    def delete(self, number: int) -> None:
        """Forget a talk with all its turns. Its number is never given again.

        Raises:
            UnknownConversation: no talk has this number.
        """
        with self._store.writing() as connection:
            connection.execute("DELETE FROM conversations WHERE id = ?", (number,))
            if not connection.changes():
                raise UnknownConversation()


def _speaker(role: str) -> Speaker:
    return "user" if role == "user" else "assistant"

"""Keep documents so that kill -9 leaves each one whole or absent, and find them again."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

from lumbre.core.document import Document, Parsed, Span, status_of
from lumbre.knowledge import filing
from lumbre.knowledge.derive import derive
from lumbre.knowledge.filing import STORED, Piece, Prepared
from lumbre.knowledge.memory import Memory
from lumbre.knowledge.schema import SCHEMA
from lumbre.knowledge.wording import hashed
from lumbre.store import Store

if TYPE_CHECKING:
    from lumbre.knowledge.matrix import Matrix
    from lumbre.knowledge.tally import Kind

__all__ = ["Index", "Known", "Moment", "Piece", "Prepared", "Stored", "absolute", "is_within"]

_MOST_COUNTS = 20_000
"""Terms whose passages stay counted, about 3 MB."""

_DOCUMENTS = (
    "SELECT path, reason, sha256,"
    " (SELECT count(*) FROM pages WHERE document = documents.id),"
    " (SELECT count(*) FROM passages WHERE document = documents.id) FROM documents"
)


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of a file, to tell whether it must be read again."""

    sha256: str
    reason: str
    cut: str
    embedding: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A document's text as it is searched, with the places in it."""

    path: str
    parsed: Parsed


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment of the database: what is read through it fits together."""

    connection: apsw.Connection
    matrix: "Matrix"
    counts: "dict[tuple[Kind, str], int]"
    """Kind and term -> passages that have it, as far as it was asked."""
    memory: "Memory"


class Index:
    """The documents in one database."""

    def __init__(self, store: Store) -> None:
        store.bring(SCHEMA)
        self._store = store
        self._matrix: Matrix | None = None
        self._counts: tuple[int | None, dict[tuple[Kind, str], int]] = (None, {})
        self._memory: Memory | None = None
        with store.writing() as connection:
            filing.count_again(connection)

    @property
    def store(self) -> Store:
        """The database, for what else is kept of documents."""
        return self._store

    def generation(self) -> int:
        """Grows with every change."""
        ((generation,),) = self._all("SELECT generation FROM knowledge_generation")
        return int(generation)

    def removals(self) -> int:
        """Grows whenever documents are forgotten; not where one is read anew."""
        ((removals,),) = self._all("SELECT removals FROM knowledge_generation")
        return int(removals)

    def known(self, path: str) -> Known | None:
        """What is kept under this path."""
        rows = self._all(
            "SELECT sha256, reason, cut, embedding FROM documents WHERE path = ?", path
        )
        return next((Known(*map(str, row)) for row in rows), None)

    def document(self, path: str) -> Document | None:
        """The document of this very path."""
        return next(map(_document, self._all(f"{_DOCUMENTS} WHERE path = ?", path)), None)

    def documents(self, within: Sequence[str] = ()) -> list[Document]:
        """Every document, by path; only those at or under the paths `within`, if any."""
        every = map(_document, self._all(f"{_DOCUMENTS} ORDER BY path"))
        return [document for document in every if is_within(document.path, within)]

    def stale(self, embedding: str) -> list[str]:
        """Paths of documents whose vectors are another model's."""
        rows = self._all(
            "SELECT path FROM documents WHERE reason = '' AND embedding <> ? ORDER BY path",
            embedding,
        )
        return [str(path) for (path,) in rows]

    def stored(self, path: str) -> Stored | None:
        """A document's text and pages."""
        with self._store.reading() as connection, connection:
            texts = list(connection.execute("SELECT text FROM documents WHERE path = ?", (path,)))
            pages = list(
                connection.execute(
                    'SELECT start, "end" FROM pages WHERE document ='
                    " (SELECT id FROM documents WHERE path = ?) ORDER BY number",
                    (path,),
                )
            )
        for (text,) in texts:
            return Stored(path, Parsed(str(text), tuple(Span(int(a), int(b)) for a, b in pages)))
        return None

    def sentences(self, path: str, within: Span) -> list[Piece]:
        """Sentences of a document that have a part in a span, in order."""
        import numpy as np

        rows = self._all(
            'SELECT start, "end", vector FROM sentences WHERE'
            " document = (SELECT id FROM documents WHERE path = ?)"
            ' AND start < ? AND "end" > ? ORDER BY start',
            path,
            within.end,
            within.start,
        )
        return [
            Piece(Span(start, end), np.frombuffer(vector, STORED).astype(np.float32))
            for start, end, vector in rows
        ]

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is put in the block lands at once, or none of it. Waits for the disk once."""
        with self._store.writing():
            yield

    def put(self, prepared: Prepared) -> None:
        """Keep a document in place of what was under its path: all of it, or nothing."""
        with self._store.writing() as connection:
            filing.forget(connection, prepared.path)
            filing.write(connection, prepared)
            filing.changed(connection)

    def put_unreadable(self, path: str, sha256: str, cut: str, reason: str) -> None:
        """Remember why a file gives no text, in place of what was under the path.

        `sha256` is empty where its bytes were not read.
        """
        with self._store.writing() as connection:
            filing.forget(connection, path)
            connection.execute(
                "INSERT INTO documents (path, sha256, reason, cut, embedding, text)"
                " VALUES (?, ?, ?, ?, '', '')",
                (path, sha256, reason, cut),
            )
            filing.changed(connection)

    def remove(self, paths: Iterable[str]) -> list[str]:
        """Forget these documents; returns the paths that were there."""
        removed = []
        with self._store.writing() as connection:
            for path in paths:
                if filing.forget(connection, path):
                    removed.append(path)
            if removed:
                connection.execute("UPDATE knowledge_generation SET removals = removals + 1")
                filing.forget_words(connection)
                filing.changed(connection)
        return removed

    def likes(self, words: Iterable[str], embedding: str) -> dict[str, bytes]:
        """Those of these words that stand in a document, and what each is like."""
        import numpy as np

        by_hash = {hashed(word): word for word in words}
        if not by_hash:
            return {}
        query = (
            "SELECT w.hash, w.signature FROM carray(?) AS c"
            " CROSS JOIN words AS w ON w.hash = c.value AND w.embedding = ?"
        )
        with self._store.reading() as connection:
            asked = apsw.carray(np.array(list(by_hash), np.int64))
            rows = list(connection.execute(query, (asked, embedding)))
        return {by_hash[number]: bytes(signature) for number, signature in rows}

    @contextmanager
    def moment(self, embedding: str) -> Iterator[Moment]:
        """What a search reads, unmoved by whoever writes meanwhile.

        The first after a change reads the vectors of the changed documents.
        """
        with self._store.reading() as connection, connection:
            path = self._store.path.with_name(f"{self._store.path.name}.matrix")
            matrix = self._matrix = derive(connection, path, embedding, self._matrix)
            if self._memory is None or self._memory.embedding != embedding:
                self._memory = Memory(embedding)
            if self._counts[0] != matrix.mark or len(self._counts[1]) > _MOST_COUNTS:
                self._counts = (matrix.mark, {})
            try:
                yield Moment(connection, matrix, self._counts[1], self._memory)
            finally:
                matrix.kept.rest()

    def _all(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        with self._store.reading() as connection:
            return list(connection.execute(query, values))


def _document(row: tuple[Any, ...]) -> Document:
    path, reason, sha256, pages, passages = row
    return Document(path, status_of(reason), reason, pages, passages, sha256)


def is_within(path: str, within: Sequence[str]) -> bool:
    """Whether a document is one of these files or stands under one of these folders."""
    return not within or any(
        path == place or path.startswith(place.rstrip("/") + "/") for place in within
    )


def absolute(path: str | Path) -> str:
    """A path as documents are kept under: absolute, `.` and `..` resolved, links kept."""
    import os.path

    home = os.path.expanduser(path)  # noqa: PTH111 (Path.expanduser fails on "~$report.docx")
    return os.path.abspath(home)  # noqa: PTH100 (Path.absolute keeps "..")

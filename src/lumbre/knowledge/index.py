"""Keep documents so that kill -9 leaves each one whole or absent, and find them again."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

from lumbre.core.document import Document, Parsed, Span, status_of
from lumbre.knowledge.lexical import TABLES, Kind, covered
from lumbre.knowledge.matrix import STORED, Matrix, load
from lumbre.knowledge.schema import SCHEMA
from lumbre.knowledge.terms import grams, stems
from lumbre.store import Store
from lumbre.words import Language

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_DOCUMENTS = (
    "SELECT path, reason, sha256,"
    " (SELECT count(*) FROM pages WHERE document = documents.id),"
    " (SELECT count(*) FROM passages WHERE document = documents.id) FROM documents"
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage or a sentence, and its vector."""

    span: Span
    vector: "NDArray[np.float32]"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document ready to be kept."""

    path: str
    sha256: str
    parsed: Parsed
    cut: str
    embedding: str
    passages: tuple[tuple[Piece, Language], ...]
    sentences: tuple[Piece, ...]


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


class Index:
    """The documents in one database."""

    def __init__(self, store: Store) -> None:
        store.bring(SCHEMA)
        self._store = store
        self._matrix: Matrix | None = None

    @property
    def store(self) -> Store:
        """The database, for what else is kept of documents."""
        return self._store

    def generation(self) -> int:
        """Grows with every change."""
        ((generation,),) = self._all("SELECT generation FROM knowledge_generation")
        return int(generation)

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
        text = prepared.parsed.text
        with self._store.writing() as connection:
            _forget(connection, prepared.path)
            connection.execute(
                "INSERT INTO documents (path, sha256, reason, cut, embedding, text)"
                " VALUES (?, ?, '', ?, ?, ?)",
                (prepared.path, prepared.sha256, prepared.cut, prepared.embedding, text),
            )
            document = connection.last_insert_rowid()
            connection.executemany(
                "INSERT INTO pages VALUES (?, ?, ?, ?)",
                (
                    (document, number, page.start, page.end)
                    for number, page in enumerate(prepared.parsed.pages, start=1)
                ),
            )
            connection.executemany(
                'INSERT INTO sentences (document, start, "end", vector) VALUES (?, ?, ?, ?)',
                (
                    (document, piece.span.start, piece.span.end, _bytes(piece.vector))
                    for piece in prepared.sentences
                ),
            )
            for piece, language in prepared.passages:
                _put_passage(connection, document, piece, language, text)
            _changed(connection)

    def put_unreadable(self, path: str, sha256: str, cut: str, reason: str) -> None:
        """Remember why a file gives no text, in place of what was under the path.

        `sha256` is empty where its bytes were not read.
        """
        with self._store.writing() as connection:
            _forget(connection, path)
            connection.execute(
                "INSERT INTO documents (path, sha256, reason, cut, embedding, text)"
                " VALUES (?, ?, ?, ?, '', '')",
                (path, sha256, reason, cut),
            )
            _changed(connection)

    def remove(self, paths: Iterable[str]) -> list[str]:
        """Forget these documents; returns the paths that were there."""
        removed = []
        with self._store.writing() as connection:
            for path in paths:
                if _forget(connection, path):
                    removed.append(path)
            if removed:
                _changed(connection)
        return removed

    def matrix(self, embedding: str) -> Matrix:
        """The vectors as they are now; read again only after a change."""
        kept = self._matrix
        if kept is None or (kept.generation, kept.embedding) != (self.generation(), embedding):
            kept = self._matrix = load(self._store, embedding)
        return kept

    def covered(self, kind: Kind, terms: Iterable[str]) -> dict[int, float]:
        """Passage id -> how well it covers these terms: `lexical.covered`."""
        return covered(self._all, kind, terms)

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


def _put_passage(
    connection: apsw.Connection, document: int, piece: Piece, language: Language, text: str
) -> None:
    connection.execute(
        'INSERT INTO passages (document, start, "end", language, vector) VALUES (?, ?, ?, ?, ?)',
        (document, piece.span.start, piece.span.end, language, _bytes(piece.vector)),
    )
    passage = connection.last_insert_rowid()
    words = text[piece.span.start : piece.span.end]
    for table, terms in (
        ("passage_stems", stems(words, language)),
        ("passage_grams", grams(words)),
    ):
        connection.execute(
            f"INSERT INTO {table} (rowid, terms) VALUES (?, ?)", (passage, " ".join(terms))
        )


def _forget(connection: apsw.Connection, path: str) -> bool:
    rows = list(connection.execute("SELECT id FROM documents WHERE path = ?", (path,)))
    for (document,) in rows:
        for table in TABLES.values():
            connection.execute(
                f"DELETE FROM {table} WHERE rowid IN (SELECT id FROM passages WHERE document = ?)",
                (document,),
            )
        connection.execute("DELETE FROM documents WHERE id = ?", (document,))
    return bool(rows)


def _changed(connection: apsw.Connection) -> None:
    connection.execute("UPDATE knowledge_generation SET generation = generation + 1")


def _bytes(vector: "NDArray[np.float32]") -> bytes:
    return vector.astype(STORED).tobytes()

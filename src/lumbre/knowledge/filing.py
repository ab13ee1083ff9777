"""Write a document's rows, or take them out, inside a transaction of the caller."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import apsw

from lumbre.core.document import Parsed, Span
from lumbre.knowledge.tally import Kind, Terms, terms_in
from lumbre.knowledge.terms import VERSION
from lumbre.knowledge.wording import WORDS, hashed, packed
from lumbre.words import Language

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STORED = "<f2"
"""Vectors take two bytes a number in the database. Halving them moves no cosine by more
than 0.001 (tests/knowledge/test_index.py) and saves 9 of 18 kB a passage."""

TABLES: dict[Kind, str] = {"stems": "passage_stems", "grams": "passage_grams"}
"""The word index of each kind of term."""

_GROUP = 512
"""Passages whose terms are held at a time, 2 MB."""


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
    terms: tuple[Terms, ...] = ()
    """Of each passage; none: they are counted when the document is written."""
    likes: Mapping[str, bytes] = field(default_factory=dict)
    """What words are like that no document had before."""


def write(connection: apsw.Connection, prepared: Prepared) -> None:
    """Every row of a document whose path is free."""
    text = prepared.parsed.text
    connection.execute(
        "INSERT INTO documents (path, sha256, reason, cut, embedding, text, mark)"
        " VALUES (?, ?, '', ?, ?, ?, random())",
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
    sentences = sorted(prepared.sentences, key=lambda piece: piece.span.start)
    connection.executemany(
        'INSERT INTO sentences (document, start, "end", vector) VALUES (?, ?, ?, ?)',
        (
            (document, piece.span.start, piece.span.end, vector)
            for piece, vector in zip(sentences, _stored(sentences), strict=True)
        ),
    )
    connection.executemany(
        "INSERT OR REPLACE INTO words VALUES (?, ?, ?)",
        ((hashed(word), prepared.embedding, like) for word, like in prepared.likes.items()),
    )
    ((last,),) = connection.execute("SELECT coalesce(max(id), 0) FROM passages")
    vectors = _stored([piece for piece, _ in prepared.passages])
    connection.executemany(
        'INSERT INTO passages (id, document, start, "end", language, vector)'
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            (number, document, piece.span.start, piece.span.end, language, vector)
            for number, ((piece, language), vector) in enumerate(
                zip(prepared.passages, vectors, strict=True), start=last + 1
            )
        ),
    )
    terms = prepared.terms or (
        terms_in(text[piece.span.start : piece.span.end], language)
        for piece, language in prepared.passages
    )
    write_terms(connection, enumerate(terms, start=last + 1))
    write_words(connection, document, text)


def write_words(connection: apsw.Connection, document: int, text: str) -> None:
    """The words of a document's sentences, each in the language of the passage it is in."""
    passages = list(
        connection.execute(
            "SELECT start, language FROM passages WHERE document = ? ORDER BY start", (document,)
        )
    )
    sentences = list(
        connection.execute('SELECT id, start, "end" FROM sentences WHERE document = ?', (document,))
    )
    starts = [start for start, _ in passages]
    languages: list[Language] = [language for _, language in passages]
    connection.executemany(
        "INSERT INTO sentence_words VALUES (?, ?)",
        (
            (sentence, packed(text[start:end], languages[bisect_right(starts, start) - 1]))
            for sentence, start, end in sentences
            if languages
        ),
    )


def write_terms(connection: apsw.Connection, passages: Iterable[tuple[int, Terms]]) -> None:
    """The terms of passages, by id, that have none yet."""
    waiting = iter(passages)
    while group := list(islice(waiting, _GROUP)):
        _write_group(connection, group)


def _write_group(connection: apsw.Connection, group: list[tuple[int, Terms]]) -> None:
    kept = [(number, terms.stems, terms.grams) for number, terms in group]
    connection.executemany(
        "INSERT INTO passage_terms VALUES (?, ?, ?, ?, ?)",
        (
            (number, stems.hashes, stems.times, grams.hashes, grams.times)
            for number, stems, grams in kept
        ),
    )
    connection.executemany(
        "UPDATE passages SET stems = ?, grams = ? WHERE id = ?",
        ((stems.total, grams.total, number) for number, stems, grams in kept),
    )
    connection.executemany(
        f"INSERT INTO {TABLES['stems']} (rowid, terms) VALUES (?, ?)",
        ((number, stems.words) for number, stems, _ in kept),
    )
    connection.executemany(
        f"INSERT INTO {TABLES['grams']} (rowid, terms) VALUES (?, ?)",
        ((number, grams.words) for number, _, grams in kept),
    )


def forget(connection: apsw.Connection, path: str) -> bool:
    """Take out every row of a document; whether there was one."""
    rows = list(connection.execute("SELECT id FROM documents WHERE path = ?", (path,)))
    for (document,) in rows:
        for table in TABLES.values():
            connection.execute(
                f"DELETE FROM {table} WHERE rowid IN (SELECT id FROM passages WHERE document = ?)",
                (document,),
            )
        connection.execute("DELETE FROM documents WHERE id = ?", (document,))
    return bool(rows)


def forget_words(connection: apsw.Connection) -> None:
    """Take out what is known of words that no sentence has any more."""
    import numpy as np

    rows = connection.execute("SELECT words FROM sentence_words")
    said = np.unique(np.frombuffer(b"".join(words for (words,) in rows), WORDS))
    known = np.array(
        [number for (number,) in connection.execute("SELECT hash FROM words")], np.int64
    )
    connection.executemany(
        "DELETE FROM words WHERE hash = ?",
        ((number,) for number in known[~np.isin(known, said)].tolist()),
    )


def count_again(connection: apsw.Connection) -> None:
    """Bring the kept terms to this program's version, from the stored texts."""
    ((version,),) = connection.execute("SELECT terms FROM knowledge_generation")
    if version == VERSION:
        return
    connection.execute("DELETE FROM passage_terms")
    connection.execute("DELETE FROM sentence_words")
    for table in TABLES.values():
        connection.execute(f"INSERT INTO {table} ({table}) VALUES ('delete-all')")
    for (document,) in list(connection.execute("SELECT id FROM documents")):
        ((text,),) = connection.execute("SELECT text FROM documents WHERE id = ?", (document,))
        rows = list(
            connection.execute(
                'SELECT id, start, "end", language FROM passages WHERE document = ? ORDER BY id',
                (document,),
            )
        )
        write_terms(
            connection,
            ((number, terms_in(text[start:end], how)) for number, start, end, how in rows),
        )
        write_words(connection, document, text)
    connection.execute("UPDATE documents SET mark = random()")
    connection.execute("UPDATE knowledge_generation SET terms = ?", (VERSION,))
    changed(connection)


def changed(connection: apsw.Connection) -> None:
    """What was derived from the tables is old."""
    connection.execute(
        "UPDATE knowledge_generation SET generation = generation + 1, mark = random()"
    )


def _stored(pieces: Sequence[Piece]) -> list[bytes]:
    import numpy as np

    if not pieces:
        return []
    every = np.stack([piece.vector for piece in pieces]).astype(STORED)
    return [row.tobytes() for row in every]

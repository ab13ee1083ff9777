"""Keep the citations of the last answer, so that `lumbre docs open 2` knows which is meant.

A quote is part of its document: it goes when the document is forgotten or read anew.
"""

from collections.abc import Sequence

from lumbre.core.document import Citation
from lumbre.store import Schema, Store

SCHEMA = Schema(
    part="cited",
    migrations=(
        """
        CREATE TABLE cited (
            id INTEGER PRIMARY KEY,     -- the number that stood in the answer
            document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
            page INTEGER,
            start INTEGER NOT NULL,     -- code points of the document's text
            "end" INTEGER NOT NULL,
            quote TEXT NOT NULL
        ) STRICT;
        CREATE INDEX cited_by_document ON cited (document);
        """,
    ),
)


class Cited:
    """The citations of the answer that was given last. To be opened after the `Index`."""

    def __init__(self, store: Store) -> None:
        store.bring(SCHEMA)
        self._store = store

    def remember(self, citations: Sequence[Citation]) -> None:
        """Keep these in place of those of the answer before."""
        with self._store.writing() as connection:
            connection.execute("DELETE FROM cited")
            connection.executemany(
                'INSERT INTO cited (id, document, page, start, "end", quote)'
                " SELECT ?1, id, ?3, ?4, ?5, ?6 FROM documents WHERE path = ?2",
                (
                    (one.id, one.document, one.page, one.start, one.end, one.quote)
                    for one in citations
                ),
            )

    def last(self) -> list[Citation]:
        """What the last answer cited, by number, as far as it is still kept."""
        with self._store.reading() as connection:
            rows = list(
                connection.execute(
                    'SELECT cited.id, path, page, start, "end", quote'
                    " FROM cited JOIN documents ON documents.id = cited.document"
                    " ORDER BY cited.id"
                )
            )
        return [Citation(*row) for row in rows]

"""The tables that documents, their passages and their vectors are kept in.

One transaction writes everything of a document. The word indexes keep no text, only
terms under a passage's id. `generation` grows with every change, so that what was
derived from the tables in memory knows when it is old.
"""

from lumbre.store import Schema

SCHEMA = Schema(
    part="knowledge",
    migrations=(
        """
        CREATE TABLE documents (
            id INTEGER PRIMARY KEY,
            path TEXT NOT NULL UNIQUE,
            sha256 TEXT NOT NULL,
            reason TEXT NOT NULL,       -- empty when it can be searched
            cut TEXT NOT NULL,          -- how passages were made, as Cut writes it
            embedding TEXT NOT NULL,    -- whose vectors these are
            text TEXT NOT NULL
        ) STRICT;
        CREATE TABLE pages (
            document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
            number INTEGER NOT NULL,
            start INTEGER NOT NULL,
            "end" INTEGER NOT NULL,
            PRIMARY KEY (document, number)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE passages (
            id INTEGER PRIMARY KEY,
            document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
            start INTEGER NOT NULL,     -- code points of the document's text
            "end" INTEGER NOT NULL,
            language TEXT NOT NULL,
            vector BLOB NOT NULL        -- little-endian float16, unit length
        ) STRICT;
        CREATE INDEX passages_by_document ON passages (document, start);
        CREATE TABLE sentences (
            id INTEGER PRIMARY KEY,
            document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
            start INTEGER NOT NULL,
            "end" INTEGER NOT NULL,
            vector BLOB NOT NULL
        ) STRICT;
        CREATE INDEX sentences_by_document ON sentences (document, start);
        CREATE VIRTUAL TABLE passage_stems USING fts5 (
            terms, content='', contentless_delete=1,
            tokenize="unicode61 remove_diacritics 0 tokenchars '_'"
        );
        CREATE VIRTUAL TABLE passage_grams USING fts5 (
            terms, content='', contentless_delete=1,
            tokenize="unicode61 remove_diacritics 0 tokenchars '_'"
        );
        CREATE VIRTUAL TABLE passage_stems_words USING fts5vocab(passage_stems, row);
        CREATE VIRTUAL TABLE passage_grams_words USING fts5vocab(passage_grams, row);
        CREATE TABLE knowledge_generation (generation INTEGER NOT NULL) STRICT;
        INSERT INTO knowledge_generation VALUES (0);
        """,
    ),
)

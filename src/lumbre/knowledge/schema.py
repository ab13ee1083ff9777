"""The tables that documents, their passages and their vectors are kept in.

One transaction writes everything of a document. The word indexes keep no text: they say
which passages have a term; how often each has it stands in `passage_terms`. `generation`
grows and `mark` changes with every change, so that what was derived from the tables knows
when it is old.
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
        """
        ALTER TABLE documents ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;
                                        -- random: no two versions of a document share one
        ALTER TABLE passages ADD COLUMN stems INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE passages ADD COLUMN grams INTEGER NOT NULL DEFAULT 0;
                                        -- how many, repeated ones counted
        CREATE TABLE passage_terms (    -- Tally: what the words of a passage weigh
            passage INTEGER PRIMARY KEY REFERENCES passages ON DELETE CASCADE,
            stems BLOB NOT NULL,
            stems_times BLOB NOT NULL,
            grams BLOB NOT NULL,
            grams_times BLOB NOT NULL
        ) STRICT;
        DROP TABLE passage_stems_words;
        DROP TABLE passage_grams_words;
        DROP TABLE passage_stems;
        DROP TABLE passage_grams;
        CREATE VIRTUAL TABLE passage_stems USING fts5 (
            terms, content='', contentless_delete=1, detail=none,
            tokenize="unicode61 remove_diacritics 0 tokenchars '_'"
        );
        CREATE VIRTUAL TABLE passage_grams USING fts5 (
            terms, content='', contentless_delete=1, detail=none,
            tokenize="unicode61 remove_diacritics 0 tokenchars '_'"
        );
        CREATE VIRTUAL TABLE passage_stems_words USING fts5vocab(passage_stems, row);
        CREATE VIRTUAL TABLE passage_grams_words USING fts5vocab(passage_grams, row);
        ALTER TABLE knowledge_generation ADD COLUMN terms INTEGER NOT NULL DEFAULT 0;
                                        -- version of the terms that are kept; 0: none are
        ALTER TABLE knowledge_generation ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;
                                        -- random, new with every change: a database that was
                                        -- put back from a copy is not taken for the later one
        """,
        """
        CREATE TABLE sentence_words (   -- wording.packed
            sentence INTEGER PRIMARY KEY REFERENCES sentences ON DELETE CASCADE,
            words BLOB NOT NULL
        ) STRICT;
        CREATE TABLE words (
            hash INTEGER PRIMARY KEY,   -- of a word of the sentences
            embedding TEXT NOT NULL,
            signature BLOB NOT NULL     -- what it is like: likeness.signatures
        ) STRICT;
        """,
        """
        ALTER TABLE knowledge_generation ADD COLUMN removals INTEGER NOT NULL DEFAULT 0;
                                        -- how often documents were forgotten
        """,
    ),
)

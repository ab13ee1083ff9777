"""Bring the matrix to what the database holds, reading the documents that changed alone.

It is made inside the transaction that searches with it, so that both see one moment. The
file is derived: deleted, damaged, of another time or embedding, it is made again.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

from lumbre.knowledge import mapped
from lumbre.knowledge.filing import STORED
from lumbre.knowledge.matrix import Matrix, bits, of
from lumbre.words import LANGUAGES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

_GROUP = 4096
"""Vectors read from the database at a time, 4 MB at 512 numbers."""
_LONGEST_TEXT = 2**40
"""Above every place in a text: a document's row times this, plus a place, sorts by both."""

_DOCUMENTS = "SELECT id, mark, embedding = ? FROM documents WHERE reason = '' ORDER BY id"
_CODE = " ".join(f"WHEN '{language}' THEN {code}" for code, language in enumerate(LANGUAGES))
_PASSAGES = (
    f'SELECT p.id, p.document, p.start, p."end", CASE p.language {_CODE} END, p.stems, p.grams,'
    " p.vector"
    " FROM carray(?) AS wanted CROSS JOIN passages AS p ON p.document = wanted.value"
)
_SENTENCES = (
    'SELECT s.id, s.document, s.start, s."end", s.vector'
    " FROM carray(?) AS wanted CROSS JOIN sentences AS s ON s.document = wanted.value"
)


def derive(connection: apsw.Connection, path: Path, embedding: str, last: Matrix | None) -> Matrix:
    """The matrix as this connection's transaction sees the tables.

    Starts from `last`, or from the file at `path`, and leaves the file new.
    """
    ((mark,),) = connection.execute("SELECT mark FROM knowledge_generation")
    if last is None or last.embedding != embedding:
        last = of(mapped.read(path), embedding)
    if last is not None and last.mark == mark:
        return last
    facts = {"mark": mark, "embedding": embedding}
    arrays = _arrays(connection, embedding, last)
    found = of(mapped.write(path, facts, arrays), embedding)
    assert found is not None, "what was just made is of the embedding it was made for"
    return found


def _arrays(connection: apsw.Connection, embedding: str, last: Matrix | None) -> "Arrays":
    import numpy as np

    rows = list(connection.execute(_DOCUMENTS, (embedding,)))
    documents = np.array(rows, np.int64).reshape(-1, 3)
    ids, marks, is_current = documents[:, 0], documents[:, 1], documents[:, 2] != 0
    kept = np.zeros(len(ids), np.bool_)
    if last is not None:
        known = dict(zip(last.document_ids.tolist(), last.document_marks.tolist(), strict=True))
        kept = np.array([known.get(row[0]) == row[1] for row in rows], np.bool_)
    passages = _passages(connection, ids[~kept], ids[~kept & is_current])
    sentences = _sentences(connection, ids[~kept & is_current])
    passages["ranges"] = _ranges(passages, sentences)
    if last is not None and kept.any():
        if len(last.bits) and len(passages["bits"]) and len(last.bits) != len(passages["bits"]):
            return _arrays(connection, embedding, None)  # vectors of another length
        old_passages, old_sentences = _old(last, ids[kept])
        passages = _joined(old_passages, passages, "ids")
        sentences = _joined(old_sentences, sentences, "document")
    per_document = np.bincount(
        np.searchsorted(ids, sentences["document"]), minlength=len(ids)
    ).astype(np.int64)
    starts = np.cumsum(per_document) - per_document
    owners = np.searchsorted(ids, passages["document"]).astype(np.int32)
    ranges = passages["ranges"] + (starts[owners] if len(ids) else owners)[:, None]
    if not is_current[owners].any():
        passages["bits"] = passages["bits"][:0]  # none has any
    return {
        "document_ids": ids,
        "document_marks": marks,
        "document_is_current": is_current,
        "document_sentences": per_document,
        "ids": passages["ids"],
        "documents": owners,
        "languages": passages["languages"],
        "totals": passages["totals"],
        "ranges": ranges.astype(np.int32),
        "bits": passages["bits"],
        "sentence_ids": sentences["ids"],
        "sentence_bits": sentences["bits"] if len(sentences["ids"]) else sentences["bits"][:0],
    }


def _passages(
    connection: apsw.Connection, wanted: "NDArray[np.int64]", current: "NDArray[np.int64]"
) -> "Arrays":
    """Rows of these documents' passages by id; no bits where the embedding is not current."""
    import numpy as np

    columns, found = _read(connection, _PASSAGES, wanted, 7, set(current.tolist()))
    order = np.argsort(columns[0], kind="stable")
    columns = columns[:, order]
    return {
        "ids": columns[0],
        "document": columns[1],
        "start": columns[2],
        "end": columns[3],
        "languages": columns[4].astype(np.int8),
        "totals": columns[5:7].astype(np.int32),
        "bits": np.ascontiguousarray(found[:, order]),
    }


def _sentences(connection: apsw.Connection, wanted: "NDArray[np.int64]") -> "Arrays":
    """Rows of these documents' sentences by document and place."""
    import numpy as np

    columns, found = _read(connection, _SENTENCES, wanted, 4, set(wanted.tolist()))
    order = np.lexsort((columns[2], columns[1]))
    columns = columns[:, order]
    return {
        "ids": columns[0],
        "document": columns[1],
        "start": columns[2],
        "end": columns[3],
        "bits": np.ascontiguousarray(found[:, order]),
    }


def _read(
    connection: apsw.Connection,
    query: str,
    wanted: "NDArray[np.int64]",
    width: int,
    current: set[int],
) -> "tuple[NDArray[np.int64], NDArray[np.uint64]]":
    """The first columns of a query as numbers, and the bits of its last."""
    import numpy as np

    numbers: list[NDArray[np.int64]] = []
    found: list[NDArray[np.uint64]] = []
    has_bits: list[bool] = []
    for group in _groups(connection, query, wanted):
        numbers.append(np.array([row[:width] for row in group], np.int64).reshape(-1, width))
        has = [row[1] in current for row in group]
        blobs = [row[-1] for row, is_current in zip(group, has, strict=True) if is_current]
        has_bits += has
        if blobs:
            vectors = np.frombuffer(b"".join(blobs), STORED).reshape(len(blobs), -1)
            found.append(bits(vectors))
    every = np.concatenate(numbers) if numbers else np.zeros((0, width), np.int64)
    words = len(found[0]) if found else 0
    spread = np.zeros((words, len(every)), np.uint64)
    if found:
        spread[:, np.array(has_bits, np.bool_)] = np.concatenate(found, axis=1)
    return np.ascontiguousarray(every.T), spread


def _groups(
    connection: apsw.Connection, query: str, wanted: "NDArray[np.int64]"
) -> Iterator[list[tuple[Any, ...]]]:
    import numpy as np

    if not len(wanted):
        return  # an array of nothing cannot be handed to SQLite
    rows = iter(connection.execute(query, (apsw.carray(np.ascontiguousarray(wanted)),)))
    while group := list(islice(rows, _GROUP)):
        yield group


def _ranges(passages: "Arrays", sentences: "Arrays") -> "NDArray[np.int64]":
    """(passages, 2): the sentences that stand whole in each, or begin in it if none does.

    Counted from the first of the document.
    """
    import numpy as np

    starts = sentences["document"] * _LONGEST_TEXT + sentences["start"]
    ends = sentences["document"] * _LONGEST_TEXT + sentences["end"]
    owner = passages["document"] * _LONGEST_TEXT
    first = np.searchsorted(starts, owner + passages["start"])
    past = np.searchsorted(ends, owner + passages["end"] + 1)
    begun = np.searchsorted(starts, owner + passages["end"])
    past = np.where(first >= past, begun, past)
    before = np.searchsorted(starts, owner)
    return np.stack([first - before, past - before], axis=1)


def _old(last: Matrix, kept: "NDArray[np.int64]") -> "tuple[Arrays, Arrays]":
    """The rows of documents that stay as they are."""
    import numpy as np

    stays = np.isin(last.document_ids, kept)
    of_passages = stays[last.documents]
    of_sentences = np.repeat(stays, last.document_sentences)
    starts = np.cumsum(last.document_sentences) - last.document_sentences
    owners = last.documents[of_passages]
    passages: Arrays = {
        "ids": last.ids[of_passages],
        "document": last.document_ids[owners],
        "languages": last.languages[of_passages],
        "totals": last.totals[:, of_passages],
        "ranges": last.ranges[of_passages] - starts[owners][:, None],
        "bits": last.bits[:, of_passages],
    }
    sentences: Arrays = {
        "ids": last.sentence_ids[of_sentences],
        "document": np.repeat(last.document_ids[stays], last.document_sentences[stays]),
        "bits": last.sentence_bits[:, of_sentences],
    }
    return passages, sentences


def _joined(old: "Arrays", new: "Arrays", by: str) -> "Arrays":
    """Rows of both, in order of one column; those of `old` decide which columns stay."""
    import numpy as np

    words = max(len(old["bits"]), len(new["bits"]))
    both: Arrays = {}
    for name in old:
        parts = [rows[name] for rows in (old, new)]
        if name == "bits":
            parts = [part if len(part) else _none(words, part.shape[1]) for part in parts]
        both[name] = np.concatenate(parts, axis=0 if name == "ranges" else -1)
    keys = both[by]
    if (keys[1:] < keys[:-1]).any():
        order = np.argsort(keys, kind="stable")
        both = {
            name: rows[order] if name == "ranges" else rows[..., order]
            for name, rows in both.items()
        }
    return both


def _none(words: int, rows: int) -> "NDArray[np.uint64]":
    import numpy as np

    return np.zeros((words, rows), np.uint64)

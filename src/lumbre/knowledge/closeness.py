"""How close in meaning a few hundred passages are, from their stored vectors."""

from typing import TYPE_CHECKING, Any

import apsw

from lumbre.knowledge.filing import STORED
from lumbre.knowledge.matrix import Matrix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_GROUP = 2048
"""Vectors held at a time, 2 MB at 512 numbers."""


def cosines(
    connection: apsw.Connection,
    matrix: Matrix,
    places: "NDArray[np.int64]",
    question: "NDArray[np.float32]",
) -> "tuple[NDArray[np.float32], NDArray[np.float32]]":
    """Per row of the matrix its cosine, and its best sentence's; both 0 without a vector.

    A passage in which no sentence stands or begins counts as its own sentence.
    """
    import numpy as np

    whole = np.zeros(len(places), np.float32)
    has_vector = matrix.has_vector[places]
    whole[has_vector] = _dots(connection, "passages", matrix.ids[places[has_vector]], question)
    ranges = matrix.ranges[places].astype(np.int64)
    ranges[~has_vector] = 0
    wanted = np.zeros(len(matrix.sentence_ids) + 1, np.bool_)
    for first, past in ranges.tolist():
        wanted[first:past] = True
    rows = np.flatnonzero(wanted)
    each = np.append(
        _dots(connection, "sentences", matrix.sentence_ids[rows], question), np.float32(-1)
    )
    at = np.searchsorted(rows, ranges)
    best = np.maximum.reduceat(each, at.ravel())[::2] if len(places) else whole
    return whole, np.where(ranges[:, 0] < ranges[:, 1], best, whole).astype(np.float32)


def _dots(
    connection: apsw.Connection,
    table: str,
    ids: "NDArray[np.int64]",
    question: "NDArray[np.float32]",
) -> "NDArray[np.float32]":
    """Cosines of stored vectors, in the order of their ids."""
    import numpy as np

    found = np.empty(len(ids), np.float32)
    query = f"SELECT t.vector FROM carray(?) AS c CROSS JOIN {table} AS t ON t.id = c.value"
    for start in range(0, len(ids), _GROUP):
        group = np.ascontiguousarray(ids[start : start + _GROUP])
        rows: list[tuple[Any, ...]] = connection.execute(query, (apsw.carray(group),)).fetchall()
        vectors = np.frombuffer(b"".join([vector for (vector,) in rows]), STORED)
        # not BLAS: there a row's sum depends on how many rows there are
        found[start : start + len(group)] = np.einsum(
            "ij,j->i", vectors.reshape(len(rows), -1).astype(np.float32), question
        )
    return found

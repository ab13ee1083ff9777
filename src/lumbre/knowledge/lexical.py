"""How well passages cover the terms of a question, and which of all may cover them best.

A common term stands in half of all passages and tells little. So the word index is asked
for the rarest terms first, until a budget of places is used; the passages found so are
then weighed by every term, from the counts that are kept with each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any

import apsw

from lumbre.knowledge.filing import TABLES
from lumbre.knowledge.matrix import Matrix
from lumbre.knowledge.tally import HASHED, Kind, hashed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_K1 = 1.2
_B = 0.75
"""Source: sqlite ext/fts5/fts5_aux.c, fts5Bm25Function."""

_FILTER_BITS = 16
_GROUP = 512
"""Passages whose terms are held at a time, 1 MB."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The terms of one kind that a question has, and what each is worth."""

    kind: Kind
    having: Mapping[str, int]
    """Term -> how many passages have it."""
    rarity: Mapping[str, float]

    @property
    def full(self) -> float:
        """What a passage of mean length gets that has each term once."""
        return sum(self.rarity.values())


def wanted(
    connection: apsw.Connection,
    kind: Kind,
    terms: Sequence[str],
    total: int,
    counts: dict[tuple[Kind, str], int],
) -> Wanted:
    """Weigh terms by how many of `total` passages have them.

    `counts` remembers what was counted: counting a common term takes up to 2 ms.
    """
    query = f"SELECT doc FROM {TABLES[kind]}_words WHERE term = ?"
    for term in terms:
        if (kind, term) not in counts:
            row = connection.execute(query, (term,)).fetchone()
            counts[kind, term] = int(row[0]) if row else 0
    having = {term: counts[kind, term] for term in terms}
    return Wanted(kind, having, {term: _rarity(total, count) for term, count in having.items()})


def roughly(
    connection: apsw.Connection, asked: Wanted, matrix: Matrix, most_places: int
) -> "NDArray[np.float32]":
    """Per passage about what `covered` gives, by the rarest terms alone."""
    import numpy as np

    places: list[NDArray[np.int64]] = []
    weights: list[NDArray[np.float64]] = []
    left = most_places
    query = f"SELECT rowid FROM {TABLES[asked.kind]} WHERE {TABLES[asked.kind]} MATCH ?"
    for term, having in sorted(asked.having.items(), key=lambda pair: pair[1]):
        left -= having
        if left < 0:
            break
        if having:
            rows = connection.execute(query, (f'"{term}"',)).fetchall()
            at = matrix.places(np.fromiter((row for (row,) in rows), np.int64, len(rows)))
            places.append(at)
            weights.append(np.full(len(at), asked.rarity[term] / asked.full))
    if not places:
        return np.zeros(len(matrix), np.float32)
    found = np.bincount(np.concatenate(places), np.concatenate(weights), len(matrix))
    return found.astype(np.float32)


def covered(
    connection: apsw.Connection, asked: Wanted, matrix: Matrix, places: "NDArray[np.int64]"
) -> "NDArray[np.float32]":
    """Per row of the matrix how well it covers the terms, 0 to about 1, rare ones weighing most.

    BM25 as FTS5 computes it, over what a passage of mean length would get that has each
    term once.
    """
    import numpy as np

    found = np.zeros(len(places), np.float32)
    if not any(asked.having.values()) or asked.full <= 0:
        return found
    which = 0 if asked.kind == "stems" else 1
    totals = matrix.totals[which]
    lengths = totals[places] / (float(totals.mean()) or 1.0)
    names = list(asked.rarity)
    hashes, firsts = np.unique(hashed(names), return_index=True)
    rarity = np.array([asked.rarity[names[first]] for first in firsts])
    query = (
        f"SELECT t.{asked.kind}, t.{asked.kind}_times"
        " FROM carray(?) AS c CROSS JOIN passage_terms AS t ON t.passage = c.value"
    )
    for start in range(0, len(places), _GROUP):
        group = places[start : start + _GROUP]
        rows = connection.execute(
            query, (apsw.carray(np.ascontiguousarray(matrix.ids[group])),)
        ).fetchall()
        at, times, owners = _met(rows, hashes)
        saturated = _K1 * (1 - _B + _B * lengths[start : start + len(group)])[owners]
        scores = rarity[at] * times * (_K1 + 1) / (times + saturated)
        found[start : start + len(group)] = np.bincount(owners, scores, len(group)) / asked.full
    return found


def _met(
    rows: list[tuple[Any, ...]], hashes: "NDArray[np.uint32]"
) -> "tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]":
    """Where rows of terms have one of `hashes`: which, how often, in which row."""
    import numpy as np

    every = np.frombuffer(b"".join([row[0] for row in rows]), HASHED)
    times = np.frombuffer(b"".join([row[1] for row in rows]), np.uint8)
    ends = np.cumsum([len(row[1]) for row in rows])
    low = (1 << _FILTER_BITS) - 1
    may_be = np.zeros(1 << _FILTER_BITS, np.bool_)
    may_be[hashes & low] = True
    at = np.flatnonzero(may_be[every & low])
    which = np.minimum(np.searchsorted(hashes, every[at]), len(hashes) - 1)
    same = hashes[which] == every[at]
    at, which = at[same], which[same]
    return which, times[at].astype(np.float64), np.searchsorted(ends, at, "right")


def _rarity(total: int, having: int) -> float:
    """Source: sqlite ext/fts5/fts5_aux.c, fts5Bm25GetData: the weight of a term."""
    return max(1e-6, log((total - having + 0.5) / (having + 0.5)))

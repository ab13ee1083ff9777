"""How well passages cover the terms of a question, by the word indexes of the database."""

from collections.abc import Callable, Iterable
from math import log
from typing import Any, Literal

Kind = Literal["stems", "grams"]
TABLES: dict[Kind, str] = {"stems": "passage_stems", "grams": "passage_grams"}

Query = Callable[..., Iterable[tuple[Any, ...]]]
"""Rows of a query: its text, then its values."""


def covered(rows_of: Query, kind: Kind, terms: Iterable[str]) -> dict[int, float]:
    """Passage id -> how well it covers these terms, 0 to about 1, rare ones weighing most.

    BM25 as FTS5 gives it, over what a passage of mean length would get that has each
    term once.
    """
    wanted = sorted(set(terms))
    if not wanted:
        return {}
    table = TABLES[kind]
    ((total,),) = rows_of("SELECT count(*) FROM passages")
    marks = ",".join("?" * len(wanted))
    words = f"SELECT term, doc FROM {table}_words WHERE term IN ({marks})"
    found: dict[str, int] = dict(rows_of(words, *wanted))
    full = sum(_rarity(total, int(found.get(term, 0))) for term in wanted)
    if not found or full <= 0:
        return {}
    query = " OR ".join(f'"{term}"' for term in found)
    rows = rows_of(f"SELECT rowid, -bm25({table}) FROM {table} WHERE {table} MATCH ?", query)
    return {int(passage): float(score) / full for passage, score in rows}


def _rarity(total: int, having: int) -> float:
    """Source: sqlite ext/fts5/fts5_aux.c, fts5Bm25GetData: the weight of a term."""
    return max(1e-6, log((total - having + 0.5) / (having + 0.5)))

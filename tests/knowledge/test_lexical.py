"""Coverage of a question's words is what FTS5's own BM25 gives, whatever was skipped for speed."""

from pathlib import Path

import apsw
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lumbre.core.document import Parsed, Span
from lumbre.knowledge.index import Index, Piece, Prepared
from lumbre.knowledge.lexical import covered, roughly, wanted
from lumbre.knowledge.tally import Kind, hashed, tally, terms_of
from lumbre.store import Store

WORDS = (
    "fianza", "renta", "casa", "casas", "2024", "пианино", "пиано", "piano", "water", "wasser",
    "la", "de", "ñandú", "año", "x",
)  # fmt: skip

texts = st.lists(st.sampled_from(WORDS), min_size=0, max_size=30).map(" ".join)


def of_texts(path: Path, said: list[str]) -> Index:
    index = Index(Store(path))
    nothing = np.zeros(8, np.float32)
    for number, text in enumerate(said):
        passage = Piece(Span(0, len(text)), nothing)
        index.put(Prepared(f"/{number}", "", Parsed(text), "", "e", ((passage, "es"),), ()))
    return index


def bm25_of_sqlite(said: list[str], kind: Kind, terms: list[str]) -> list[float]:
    """FTS5 with every place kept, as SQLite weighs it."""
    connection = apsw.Connection(":memory:")
    connection.execute(
        "CREATE VIRTUAL TABLE t USING fts5 (terms,"
        " tokenize=\"unicode61 remove_diacritics 0 tokenchars '_'\")"
    )
    for number, text in enumerate(said):
        row = (number, " ".join(terms_of(kind, text, "es")))
        connection.execute("INSERT INTO t (rowid, terms) VALUES (?, ?)", row)
    query = " OR ".join(f'"{term}"' for term in terms)
    found = dict(connection.execute("SELECT rowid, -bm25(t) FROM t WHERE t MATCH ?", (query,)))
    connection.close()
    return [float(found.get(number, 0)) for number in range(len(said))]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(texts, min_size=1, max_size=8), texts, st.sampled_from(["stems", "grams"]))
def test_what_is_covered_is_what_sqlite_says(
    tmp_path_factory: pytest.TempPathFactory, said: list[str], question: str, kind: Kind
) -> None:
    terms = sorted(set(terms_of(kind, question, "es")))
    index = of_texts(tmp_path_factory.mktemp("texts") / "lumbre.db", said)
    with index.moment("e") as moment:
        asked = wanted(moment.connection, kind, terms, len(said), {})
        places = np.arange(len(said))
        found = covered(moment.connection, asked, moment.matrix, places)
        rough = roughly(moment.connection, asked, moment.matrix, 10_000)
    index.store.close()
    if not any(asked.having.values()):
        assert not found.any()
        return
    expected = np.array(bm25_of_sqlite(said, kind, terms)) / asked.full
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert ((rough > 0) == (found > 0)).all(), "with a budget for all, none is overlooked"


def test_a_budget_is_spent_on_the_rarest_terms(tmp_path: Path) -> None:
    index = of_texts(tmp_path / "lumbre.db", ["casa renta"] * 9 + ["casa fianza"])
    with index.moment("e") as moment:
        terms = sorted({*terms_of("stems", "casa renta fianza", "es")})
        asked = wanted(moment.connection, "stems", terms, 10, {})
        assert sorted(asked.having.values()) == [1, 9, 10]
        assert np.flatnonzero(roughly(moment.connection, asked, moment.matrix, 5)).tolist() == [9]
        assert roughly(moment.connection, asked, moment.matrix, 10).all()
        assert not roughly(moment.connection, asked, moment.matrix, 0).any()
    index.store.close()


@given(texts, st.sampled_from(["stems", "grams"]))
def test_a_tally_is_the_terms_counted(text: str, kind: Kind) -> None:
    terms = terms_of(kind, text, "es")
    counted = tally(kind, text, "es")
    assert sorted(counted.words.split()) == sorted(set(terms))
    by_hash = dict(zip(np.frombuffer(counted.hashes, "<u4"), counted.times, strict=True))
    assert counted.total == len(terms) == sum(by_hash.values())
    for term in terms:
        assert by_hash[hashed([term])[0]] == terms.count(term)


def test_a_term_that_comes_without_end_is_counted_to_255() -> None:
    assert max(tally("stems", "fianza " * 300, "es").times) == 255


def test_groups_of_four_letters_share_no_hash() -> None:
    letters = "_abcdefghijklmnopqrstuvwxyz0123456789"
    groups = [a + b + c + "x" for a in letters for b in letters for c in letters]
    assert len(np.unique(hashed(groups))) == len(groups)

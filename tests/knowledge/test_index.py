"""Documents are kept whole or not at all, and what is forgotten is gone everywhere."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.document import Parsed, Span
from lumbre.knowledge.closeness import cosines
from lumbre.knowledge.index import Index, Piece, Prepared, is_within
from lumbre.knowledge.tally import Kind, terms_of
from lumbre.store import Store

DIMENSIONS = 16


def unit(seed: int) -> np.ndarray:
    vector = np.random.default_rng(seed).normal(size=DIMENSIONS).astype(np.float32)
    return vector / np.linalg.norm(vector)


def prepared(path: str, text: str, embedding: str = "e1", sha256: str = "") -> Prepared:
    """A document of one passage whose words are its sentences."""
    words: list[Piece] = []
    start = 0
    for word in text.split(" "):
        words.append(Piece(Span(start, start + len(word)), unit(len(words) + 1)))
        start += len(word) + 1
    return Prepared(
        path=path,
        sha256=sha256 or f"hash of {text}",
        parsed=Parsed(text, (Span(0, 3), Span(3, len(text)))),
        cut="1000/200",
        embedding=embedding,
        passages=((Piece(Span(0, len(text)), unit(0)), "es"),),
        sentences=tuple(words),
    )


def rows(store: Store) -> dict[str, int]:
    tables = (
        "documents",
        "pages",
        "passages",
        "sentences",
        "passage_terms",
        "passage_stems",
        "passage_grams",
    )
    connection = store.connection()
    return {t: int(next(iter(connection.execute(f"SELECT count(*) FROM {t}")))[0]) for t in tables}


def having(store: Store, kind: Kind, text: str) -> int:
    """Passages that the word index gives for the terms of a Spanish text."""
    query = " OR ".join(f'"{term}"' for term in terms_of(kind, text, "es"))
    found = f"SELECT count(*) FROM passage_{kind} WHERE passage_{kind} MATCH ?"
    return int(next(iter(store.connection().execute(found, (query,))))[0])


def test_a_document_is_read_back_as_it_was_put(index: Index) -> None:
    index.put(prepared("/a/b.md", "la renta sube"))
    (document,) = index.documents()
    assert (document.path, document.status, document.pages, document.passages) == (
        "/a/b.md",
        "indexed",
        2,
        1,
    )
    stored = index.stored("/a/b.md")
    assert stored
    assert stored.parsed == Parsed("la renta sube", (Span(0, 3), Span(3, 13)))
    found = index.sentences("/a/b.md", Span(3, 8))
    assert [piece.span for piece in found] == [Span(3, 8)]
    assert np.allclose(found[0].vector, unit(2), atol=1e-3)


def test_a_changed_document_takes_the_place_of_the_old_one(index: Index, store: Store) -> None:
    index.put(prepared("/a.md", "la fianza rota"))
    once = rows(store)
    before = index.generation()
    index.put(prepared("/a.md", "la fianza devuelta"))
    assert rows(store) == once
    assert index.generation() > before
    assert not having(store, "stems", "rota")
    assert having(store, "stems", "devueltas")


def test_a_removed_document_leaves_nothing_behind(index: Index, store: Store) -> None:
    index.put(prepared("/a.md", "la fianza"))
    assert index.remove(["/a.md", "/never.md"]) == ["/a.md"]
    assert set(rows(store).values()) == {0}
    assert not having(store, "grams", "fianza")
    assert index.documents() == []


def test_an_unreadable_file_is_listed_and_not_searched(index: Index) -> None:
    index.put(prepared("/a.pdf", "la renta"))
    index.put_unreadable("/a.pdf", "hash", "1000/200", "damaged")
    (document,) = index.documents()
    assert (document.status, document.reason, document.passages) == ("failed", "damaged", 0)
    with index.moment("e1") as moment:
        assert not len(moment.matrix)


def test_vectors_of_two_models_are_never_compared(index: Index) -> None:
    index.put(prepared("/old.md", "uno", embedding="e1"))
    index.put(prepared("/new.md", "dos", embedding="e2"))
    with index.moment("e2") as moment:
        assert moment.matrix.stale == 1
        assert moment.matrix.has_vector.tolist() == [False, True]
        whole, best = cosines(moment.connection, moment.matrix, np.arange(2), unit(0))
    assert whole[0] == best[0] == 0
    assert whole[1] == pytest.approx(1, abs=1e-3)
    assert index.stale("e2") == ["/old.md"]


def test_terms_of_another_version_are_counted_again_from_the_stored_texts(
    index: Index, store: Store
) -> None:
    index.put(prepared("/a.md", "la fianza rota"))
    index.put(prepared("/b.md", "la renta"))
    kept = "SELECT * FROM passage_terms ORDER BY passage"
    before = list(store.connection().execute(kept))
    with index.moment("e1") as moment:
        totals = moment.matrix.totals.copy()
    store.connection().execute("UPDATE passage_terms SET grams = zeroblob(4)")
    store.connection().execute("UPDATE passages SET stems = 99, grams = 99")
    store.connection().execute("INSERT INTO passage_stems (passage_stems) VALUES ('delete-all')")
    store.connection().execute("UPDATE knowledge_generation SET terms = 0")
    again = Index(store)
    assert list(store.connection().execute(kept)) == before
    assert having(store, "stems", "rotas") == 1
    with again.moment("e1") as moment:
        assert (moment.matrix.totals == totals).all()


@given(st.integers(0, 10_000), st.integers(1, 600))
def test_halving_a_vector_moves_no_cosine_by_more_than_a_thousandth(seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    a, b = (random.normal(size=size).astype(np.float32) for _ in range(2))
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    assert abs(float(a @ b) - float(a.astype("<f2").astype(np.float32) @ b)) < 1e-3


def test_closeness_is_a_passages_cosine_and_its_best_sentences(index: Index) -> None:
    index.put(prepared("/a.md", "uno dos tres"))
    question = unit(99)
    with index.moment("e1") as moment:
        whole, best = cosines(moment.connection, moment.matrix, np.arange(1), question)
    assert whole[0] == pytest.approx(float(unit(0) @ question), abs=2e-3)
    assert best[0] == pytest.approx(max(float(unit(n) @ question) for n in (1, 2, 3)), abs=2e-3)


@pytest.mark.parametrize(
    ("path", "within", "inside"),
    [
        ("/a/b.md", (), True),
        ("/a/b.md", ("/a/b.md",), True),
        ("/a/b.md", ("/a",), True),
        ("/a/b.md", ("/a/",), True),
        ("/a/b.md", ("/",), True),
        ("/ab/c.md", ("/a",), False),
        ("/a/b.md.txt", ("/a/b.md",), False),
    ],
)
def test_documents_are_narrowed_by_whole_folder_names(
    path: str, within: tuple[str, ...], inside: bool
) -> None:
    assert is_within(path, within) is inside


_PUT_AND_SAY = """
import sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from lumbre.knowledge.index import Index
from lumbre.store import Store
from test_index import prepared
index = Index(Store(Path(sys.argv[1])))
for number in range(1, 10_000):
    text = " ".join(["palabra"] * 300)
    index.put(prepared(f"/{number % 7}.md", text, sha256=str(number)))
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [1, 4, 9])
def test_a_kill_in_mid_ingest_leaves_whole_documents(tmp_path: Path, after: int) -> None:
    """The child is killed while it writes; what it said it had kept is there, all of it."""
    path = tmp_path / "lumbre.db"
    here = str(Path(__file__).parent)
    with subprocess.Popen(
        [sys.executable, "-c", _PUT_AND_SAY, str(path), here, *sys.path],
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout
        said = 0
        while said < after:
            said = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().split()
    acknowledged = int(rest[-1]) if rest else said
    store = Store(path)
    index = Index(store)
    kept = {int(document.sha256) for document in index.documents()}
    newest = max(kept)
    assert newest in (acknowledged, acknowledged + 1)
    assert kept == set(range(max(1, newest - 6), newest + 1))
    documents = len(kept)
    assert rows(store) == {
        "documents": documents,
        "pages": 2 * documents,
        "passages": documents,
        "passage_terms": documents,
        "sentences": 300 * documents,
        "passage_stems": documents,
        "passage_grams": documents,
    }
    (check,) = store.connection().execute("PRAGMA integrity_check")
    assert check == ("ok",)
    store.close()

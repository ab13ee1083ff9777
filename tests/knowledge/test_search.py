"""A search that looks at a part of a large collection finds what one that looks at all does."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumbre.core.document import Hit
from lumbre.knowledge.index import Index
from lumbre.knowledge.retrieve import Ask, find
from lumbre.store import Store
from tests.knowledge.collection import EMBEDDING, document, unit, with_word

DOCUMENTS = 40
PASSAGES = 50


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """2,000 passages."""
    store = Store(tmp_path_factory.mktemp("large") / "lumbre.db")
    index = Index(store)
    random = np.random.default_rng(0)
    with index.together():
        for number in range(DOCUMENTS):
            index.put(document(f"/{number:02}", random, PASSAGES))
    yield index
    store.close()


def ask(question: str, vector: "np.ndarray", **how: object) -> Ask:
    made = Ask(question=question, language="es", vector=vector, embedding=EMBEDDING)
    return replace(made, **how)  # type: ignore[arg-type]


def places(hits: tuple[Hit, ...]) -> list[tuple[str, int]]:
    return [(hit.document, hit.start) for hit in hits]


def blend(one: "np.ndarray", other: "np.ndarray", share: float) -> "np.ndarray":
    both = share * one + (1 - share) * other
    return (both / np.linalg.norm(both)).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(
    number=st.integers(0, DOCUMENTS - 1),
    passage=st.integers(0, PASSAGES - 1),
    seed=st.integers(0, 1000),
)
def test_a_passage_near_in_meaning_is_found_among_all(
    large: Index, number: int, passage: int, seed: int
) -> None:
    with large.store.reading() as connection:
        query = (
            "SELECT p.vector, p.start FROM passages p JOIN documents d ON d.id = p.document"
            " WHERE d.path = ? ORDER BY p.start LIMIT 1 OFFSET ?"
        )
        ((blob, start),) = connection.execute(query, (f"/{number:02}", passage))
    vector = np.frombuffer(blob, "<f2").astype(np.float32)
    asked = ask("", blend(vector, unit(np.random.default_rng(seed)), 0.7), candidates=40)
    found = find(replace(asked, exact_below=0), large, 1)
    assert places(found.hits) == [(f"/{number:02}", start)]
    assert found == find(replace(asked, exact_below=10_000), large, 1)


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 1000),
    chosen=st.sets(st.tuples(st.integers(0, 11), st.integers(1, 49)), min_size=10, max_size=10),
)
def test_passages_with_a_word_of_their_own_are_found_among_all(
    tmp_path_factory: pytest.TempPathFactory, seed: int, chosen: set[tuple[int, int]]
) -> None:
    """Ten of 600, however far their meaning is; none first, for that helps all of its document."""
    random = np.random.default_rng(seed)
    store = Store(tmp_path_factory.mktemp("word") / "lumbre.db")
    index = Index(store)
    papers = [document(f"/{number}", random, 50) for number in range(12)]
    for number, passage in chosen:
        papers[number] = with_word(papers[number], passage, "kywjhx")
    planted = {
        (f"/{number}", papers[number].passages[passage][0].span.start) for number, passage in chosen
    }
    with index.together():
        for paper in papers:
            index.put(paper)
    asked = ask("kywjhx", unit(random), candidates=20)
    part = find(replace(asked, exact_below=0), index, 10)
    every = find(replace(asked, exact_below=10_000), index, 10)
    store.close()
    assert set(places(part.hits)) == planted == set(places(every.hits))
    assert part == every


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), by_document=st.booleans(), top=st.integers(1, 60))
def test_below_the_bound_every_passage_is_looked_at(
    large: Index, seed: int, by_document: bool, top: int
) -> None:
    random = np.random.default_rng(seed)
    asked = ask("banano codico", unit(random))
    whole = find(replace(asked, exact_below=2000), large, top, by_document=by_document)
    assert whole == find(
        replace(asked, exact_below=0, candidates=2000), large, top, by_document=by_document
    )


@pytest.mark.parametrize("exact_below", [0, 10_000])
def test_as_many_documents_are_found_as_were_asked_for(large: Index, exact_below: int) -> None:
    asked = ask("banano", unit(np.random.default_rng(5)), candidates=5, exact_below=exact_below)
    hits = find(asked, large, DOCUMENTS, by_document=True).hits
    assert len({hit.document for hit in hits}) == len(hits) == DOCUMENTS


@pytest.mark.parametrize("exact_below", [0, 10_000])
def test_within_a_folder_only_its_passages_count(large: Index, exact_below: int) -> None:
    within = ("/03", "/17")
    asked = ask("banano", unit(np.random.default_rng(6)), within=within, exact_below=exact_below)
    hits = find(replace(asked, candidates=30), large, 50).hits
    assert {hit.document for hit in hits} == set(within)
    assert len(hits) == 50


def test_a_search_while_documents_change_finds_one_moment(tmp_path: Path) -> None:
    """A document is replaced again and again; what is found is always whole and its own."""
    store = Store(tmp_path / "lumbre.db")
    index = Index(store)
    random = np.random.default_rng(7)
    index.put(with_word(document("/needle", random, 4), 2, "kywjhx"))
    over = threading.Event()

    def change() -> None:
        for number in range(40):
            index.put(document(f"/{number % 5}", random, 3))
            index.put(with_word(document("/needle", random, 1 + number % 4), 0, "kywjhx"))
        over.set()

    writer = threading.Thread(target=change)
    writer.start()
    vector = unit(np.random.default_rng(8))
    searches = 0
    while not over.is_set() or not searches:
        for exact_below in (0, 10_000):
            (hit,) = find(ask("kywjhx", vector, exact_below=exact_below), index, 1).hits
            assert hit.document == "/needle"
            assert "Kywjhx" in hit.text
        searches += 1
    writer.join()
    store.close()

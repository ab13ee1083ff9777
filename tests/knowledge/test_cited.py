"""The citations of the last answer are at hand until their documents change or go."""

from lumbre.core.document import Citation
from lumbre.knowledge.cited import Cited
from lumbre.knowledge.index import Index
from lumbre.store import Store
from tests.knowledge.test_index import prepared


def citation(number: int, document: str, page: int | None = None) -> Citation:
    return Citation(number, document, page, 3, 8, "renta")


def test_they_are_given_back_as_they_were(store: Store, index: Index) -> None:
    index.put(prepared("/a.md", "la renta sube"))
    index.put(prepared("/b.pdf", "la renta baja"))
    cited = Cited(store)
    wanted = [citation(1, "/b.pdf", 1), citation(2, "/a.md"), citation(3, "/b.pdf", 2)]
    cited.remember(wanted)
    assert cited.last() == wanted


def test_each_answer_takes_the_place_of_the_one_before(store: Store, index: Index) -> None:
    index.put(prepared("/a.md", "la renta sube"))
    cited = Cited(store)
    cited.remember([citation(1, "/a.md"), citation(2, "/a.md")])
    cited.remember([citation(1, "/a.md", 7)])
    assert cited.last() == [citation(1, "/a.md", 7)]
    cited.remember([])
    assert cited.last() == []


def test_a_quote_goes_with_its_document(store: Store, index: Index) -> None:
    for path in ("/a.md", "/b.md", "/c.md"):
        index.put(prepared(path, "la renta sube"))
    cited = Cited(store)
    cited.remember([citation(n, p) for n, p in enumerate(("/a.md", "/b.md", "/c.md"), start=1)])
    index.remove(["/a.md"])
    index.put(prepared("/b.md", "la renta ya no sube"))
    assert cited.last() == [citation(3, "/c.md")]
    assert list(store.connection().execute("SELECT count(*) FROM cited")) == [(1,)]


def test_a_document_that_went_meanwhile_is_left_out(store: Store, index: Index) -> None:
    cited = Cited(store)
    cited.remember([citation(1, "/never.md")])
    assert cited.last() == []

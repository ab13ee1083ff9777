"""Passages cover a text in order, stay within their bounds, and begin and end where it does."""

from itertools import pairwise

from hypothesis import assume, example, given
from hypothesis import strategies as st

from lumbre.knowledge.split import split

WORDS = st.sampled_from(
    ["casa", "договор", "rent.", "Sr.", "\n", "\n\n", "- ", "1.", "año,", "«да»", "3,5", "x" * 90]
)
TEXTS = st.lists(WORDS, max_size=400).map(" ".join) | st.text(max_size=3000)


@given(TEXTS, st.integers(20, 300), st.integers(0, 15))
@example("a" * 5000, 100, 10)
def test_passages_cover_the_text_in_order_within_their_bounds(
    text: str, size: int, overlap: int
) -> None:
    assume(2 * overlap <= size)  # as the settings demand
    spans = split(text, size, overlap)
    if not text:
        assert spans == []
        return
    assert spans[0].start == 0
    assert spans[-1].end == len(text)
    for span in spans:
        assert 0 < span.end - span.start <= size * 1.2
    for before, after in pairwise(spans):
        assert before.start < after.start <= before.end < after.end
        assert before.end - after.start <= overlap


@given(TEXTS)
def test_passages_joined_without_what_they_share_give_the_document_back(text: str) -> None:
    joined = ""
    for span in split(text, 100, 20):
        joined += text[max(span.start, len(joined)) : span.end]
    assert joined == text


def test_a_passage_ends_with_a_paragraph_where_one_ends_in_time() -> None:
    paragraph = "La renta se paga por meses. " * 10
    text = "\n\n".join([paragraph.strip()] * 12)
    for span in split(text)[:-1]:
        assert text[span.end - 2 : span.end] == "\n\n"


def test_a_passage_never_cuts_a_word_that_could_be_kept_whole() -> None:
    text = " ".join(f"palabra{number}" for number in range(900))
    for span in split(text):
        assert text[span.start : span.start + 7] == "palabra"
        assert span.end == len(text) or text[span.end - 1] == " "


def test_lines_broken_by_a_page_are_no_borders() -> None:
    text = (
        "El contrato comienza el 1 de abril y\ntiene una duración de un año, según\nla ley. " * 60
    )
    for span in split(text)[:-1]:
        assert text[: span.end].rstrip().endswith("ley.")

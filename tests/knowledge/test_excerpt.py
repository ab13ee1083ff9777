"""A quote is the shortest run of whole sentences, or of clauses, that has what it is for."""

from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.document import Span
from lumbre.knowledge.excerpt import LIMIT, excerpt
from lumbre.knowledge.sentences import sentences

TEXT = "The fee is 20 euros. Children pay half. It is refunded within 30 days. Bring the receipt."


def cut(text: str, at: int, *wanted: str, limit: int = LIMIT) -> str:
    span = excerpt(
        text,
        sentences(text),
        at,
        lambda quote: sum(word not in quote for word in wanted),
        lambda quote: 0,
        limit,
    )
    return text[span.start : span.end]


def test_one_sentence_is_enough_where_it_has_everything() -> None:
    assert cut(TEXT, 0, "20") == "The fee is 20 euros."


def test_it_grows_over_its_neighbours_until_it_has_everything() -> None:
    assert cut(TEXT, 0, "20", "30 days") == TEXT[: TEXT.index(" Bring")]


def test_it_does_not_grow_over_the_limit() -> None:
    assert cut(TEXT, 0, "20", "30 days", limit=50) == "The fee is 20 euros."


def test_of_a_long_sentence_it_is_the_clause() -> None:
    long = (
        "The landlord, " + "who lives abroad, " * 20 + "keeps 870 euros, which is one month, back."
    )
    assert cut(long, 0, "870") == "keeps 870 euros,"


def test_of_a_sentence_without_clauses_it_is_the_words() -> None:
    long = "word " * 80 + "870 euros " + "word " * 80
    assert cut(long, 0, "870", "euros") == "870 euros"


@given(
    st.lists(st.text(st.sampled_from("ab, .;\n"), min_size=1, max_size=400), max_size=5),
    st.integers(0, 20),
    st.sampled_from(["a", "b", "ab", "ba"]),
)
def test_it_is_within_its_sentences_and_never_over_the_limit(
    parts: list[str], at: int, word: str
) -> None:
    text = ". ".join(parts)
    said = sentences(text)
    if not said:
        return
    span = excerpt(text, said, at % len(said), lambda q: word not in q, lambda q: q.count("a"))
    assert 0 < span.end - span.start <= LIMIT
    whole = Span(said[0].start, said[-1].end)
    assert whole.start <= span.start < span.end <= whole.end

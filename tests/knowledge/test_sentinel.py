"""A refusal is noticed before a word of it is shown, and nothing else is held back for long."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.document import Hit
from lumbre.knowledge.sentinel import Sentinel
from lumbre.knowledge.shown import shown

PHRASES = ("no se menciona", "no está en los documentos", "в документах этого нет", "not found")


def heard(text: str, cuts: list[int]) -> tuple[str, bool]:
    """What is shown of a text that comes in pieces, and whether it was a refusal."""
    sentinel = Sentinel(PHRASES)
    edges = [0, *sorted({min(cut, len(text)) for cut in cuts}), len(text)]
    shown = "".join(sentinel.feed(text[a:b]) for a, b in pairwise(edges))
    return shown + sentinel.finish(), sentinel.refused


@given(
    st.sampled_from(
        [
            "NO ESTÁ EN LOS DOCUMENTOS.",
            "«No se menciona» en el texto.",
            "В документах этого нет.",
            " Not found",
            "no está\nen los documentos, pero podría ser 5",
        ]
    ),
    st.lists(st.integers(0, 40)),
)
def test_a_refusal_is_noticed_however_it_is_cut_and_nothing_of_it_shown(
    text: str, cuts: list[int]
) -> None:
    assert heard(text, cuts) == ("", True)


@given(
    st.sampled_from(
        [
            "No se mencionan otros.",
            "No está en obras.",
            "El gato no se menciona.",
            "No",
            "",
            "В доме.",
        ]
    ),
    st.lists(st.integers(0, 40)),
)
def test_any_other_answer_is_shown_whole(text: str, cuts: list[int]) -> None:
    assert heard(text, cuts) == (text, False)


@given(st.text(), st.lists(st.integers(0, 40)))
def test_nothing_is_lost_or_added(text: str, cuts: list[int]) -> None:
    shown, refused = heard(text, cuts)
    assert shown == ("" if refused else text)


def test_an_answer_is_let_go_at_its_first_different_word() -> None:
    sentinel = Sentinel(PHRASES)
    assert sentinel.feed("No se") == ""
    assert sentinel.feed(" admiten perros") == "No se admiten perros"
    assert sentinel.feed(".") == "."


def test_the_template_knows_how_its_languages_refuse() -> None:
    for text in (
        "Los fragmentos no dicen nada.",
        "The passages do not say.",
        "В отрывках нет этого.",
    ):
        sentinel = Sentinel(shown([Hit("/a.txt", None, 0, 1, "a", 1.0, "en")]).refusals)
        sentinel.feed(text)
        assert sentinel.refused, text

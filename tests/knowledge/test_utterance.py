"""Whatever the pieces an answer comes in, its text is kept and its sentences are told once."""

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from lumbre.knowledge.utterance import Said, Show, Utterance

ANSWERS = st.lists(
    st.sampled_from(
        [
            "La renta es de 1.250 euros.",
            " ",
            "\n",
            "- uno",
            "¿Y el Sr. García?",
            " [1]",
            "Да!",
            "[12, 3]",
            "[?]",
        ]
    )
).map("".join)


def heard(text: str, cuts: list[int]) -> list[Show | Said]:
    utterance = Utterance()
    edges = [0, *sorted({min(cut, len(text)) for cut in cuts}), len(text)]
    steps = [step for a, b in pairwise(edges) for step in utterance.feed(text[a:b])]
    return steps + utterance.finish()


def test_a_sentence_is_told_right_after_its_last_letter_was_shown() -> None:
    steps = heard("Son 870 euros. Se pagan el día 5.", [3, 9, 16, 20])
    text = ""
    for step in steps:
        if isinstance(step, Show):
            text += step.text
        else:
            assert text.endswith(step.sentence)
    assert text == "Son 870 euros. Se pagan el día 5."
    assert [s.sentence for s in steps if isinstance(s, Said)] == [
        "Son 870 euros.",
        "Se pagan el día 5.",
    ]


def test_marks_of_the_models_own_are_taken_out() -> None:
    for cuts in (list(range(80)), []):
        steps = heard("Son 870 [[1]2] euros [1]. Según [2, 3] el contrato [?][sic] sí.", cuts)
        shown = "".join(step.text for step in steps if isinstance(step, Show))
        assert shown == "Son 870 euros. Según el contrato[sic] sí."


@given(ANSWERS, st.lists(st.integers(0, 120)))
def test_a_whole_sentence_is_told_as_soon_as_it_is_shown(text: str, cuts: list[int]) -> None:
    utterance = Utterance(whole=True)
    edges = [0, *sorted({min(cut, len(text)) for cut in cuts}), len(text)]
    steps = [step for a, b in pairwise(edges) for step in utterance.feed(text[a:b])]
    shown = ""
    for step in steps + utterance.finish():
        if isinstance(step, Show):
            shown += step.text
        else:
            assert shown.endswith(step.sentence)
            shown = ""
    assert shown == ""


def test_a_sentence_longer_than_any_is_cut_where_it_is_told() -> None:
    utterance = Utterance(whole=True)
    text = "The deposit is paid, " + "and it is returned to Anna Petrova, " * 20 + "and so on."
    steps = [step for letter in text for step in utterance.feed(letter)] + utterance.finish()
    assert "".join(step.text for step in steps if isinstance(step, Show)) == text
    assert all(step.text.endswith((",", ".")) for step in steps if isinstance(step, Show))


@example("uno [1]\n [1]- dos", [12])
@given(ANSWERS, st.lists(st.integers(0, 120)))
def test_the_cuts_of_a_stream_change_no_sentence(text: str, cuts: list[int]) -> None:
    def sentences(steps: list[Show | Said]) -> list[str]:
        return [step.sentence for step in steps if isinstance(step, Said)]

    def shown(steps: list[Show | Said]) -> str:
        return "".join(step.text for step in steps if isinstance(step, Show))

    whole, cut = heard(text, []), heard(text, cuts)
    assert shown(cut) == shown(whole)
    assert "".join(sentences(cut)).split() == "".join(sentences(whole)).split()


@given(st.text(st.characters(exclude_characters="[]")), st.lists(st.integers(0, 120)))
def test_no_letter_is_lost_or_added(text: str, cuts: list[int]) -> None:
    shown = "".join(step.text for step in heard(text, cuts) if isinstance(step, Show))
    assert shown == text.strip()

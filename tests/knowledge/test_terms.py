"""Forms of a word meet inside a language; names and numbers meet across languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.knowledge.terms import by_sound, grams, stems, words
from lumbre.words import LANGUAGES, Language


@pytest.mark.parametrize(
    ("language", "forms"),
    [
        ("es", ("contratos", "contrato", "CONTRATO")),
        ("es", ("reparación", "reparaciones", "reparacion")),
        ("ru", ("договора", "договором", "ДОГОВОР")),
        ("ru", ("счёта", "счета", "счётом")),
        ("en", ("repaired", "repairs", "Repair")),
    ],
)
def test_forms_of_a_word_have_one_stem(language: Language, forms: tuple[str, ...]) -> None:
    assert len({tuple(stems(form, language)) for form in forms}) == 1
    assert stems(forms[0], language)


@pytest.mark.parametrize(
    ("cyrillic", "latin"),
    [("вашингтон", "washington"), ("филадельфия", "philadelphia"), ("тадер", "thader")],
)
def test_a_name_shares_most_of_its_pieces_with_itself_in_another_script(
    cyrillic: str, latin: str
) -> None:
    mine, its = set(grams(cyrillic)), set(grams(latin))
    assert len(mine & its) >= len(mine | its) / 3


def test_a_number_is_one_piece_and_only_itself() -> None:
    assert grams("1250") == ["n1250_"]
    assert not set(grams("1250")) & set(grams("125"))


def test_a_word_broken_by_a_line_is_one_word() -> None:
    assert words("una pala-\nbra y un Madrid-\nBarcelona") == [
        "una", "palabra", "y", "un", "madrid", "barcelona",
    ]  # fmt: skip


@given(st.text(), st.sampled_from(LANGUAGES))
def test_terms_hold_nothing_a_search_would_take_for_its_own_signs(
    text: str, language: Language
) -> None:
    for term in [*stems(text, language), *grams(text)]:
        assert '"' not in term
        assert not set(term) & {" ", "*", "^", "-", ":", "\x00", "\x01"}


@given(st.text())
def test_the_sound_of_a_word_stays_about_as_long_as_the_word(text: str) -> None:
    for word in words(text):
        assert len(by_sound(word)) <= 4 * len(word)

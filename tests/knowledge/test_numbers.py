"""A number is the same number however a language writes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.knowledge.numbers import stated, written
from lumbre.words import Language


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1.250 euros", {"1250"}),
        ("1,250 euros", {"1250"}),
        ("1 250 рублей", {"1250"}),
        ("1\u00a0250,50 €", {"1250.5"}),
        ("2,5 % y 3.0", {"2.5", "3"}),
        ("de 23:00 a 8:00", {"23", "0", "8"}),
        ("el 05/03/2025", {"5", "3", "2025"}),
        ("artículo 1.1.2", {"1", "2"}),
        ("E30 y LX-8", {"30", "8"}),
        ("en 2026 585 euros", {"2026", "585"}),
        ("nada", set()),
    ],
)
def test_written_numbers_have_one_spelling(text: str, numbers: set[str]) -> None:
    assert written(text) == numbers


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("al menos doce horas", "12"),
        ("за пять рабочих дней", "5"),
        ("within thirty days", "30"),
        ("Veintiún días", "21"),
        ("в двенадцати квартирах", "12"),
    ],
)
def test_numbers_in_words_are_stated_too(text: str, number: str) -> None:
    assert number in stated(text)


@pytest.mark.parametrize(
    ("text", "language", "numbers"),
    [
        ("dos mil quinientos euros", "es", {"2500"}),
        ("mil novecientos noventa y ocho", "es", {"1998"}),
        ("diez mil millones", "es", {"10000000000"}),
        ("10.000 millones", "es", {"10000000000"}),
        ("un piso, dos baños y tres llaves", "es", {"2", "3"}),
        ("two thousand five hundred and six", "en", {"2506"}),
        ("twenty-one or thirty", "en", {"21", "30"}),
        ("from two to four hundred", "en", {"2", "400"}),
        ("2.5 million", "en", {"2500000"}),
        ("сорок тысяч рублей", "ru", {"40000"}),
        ("пять и шесть", "ru", {"5", "6"}),
        ("в тридцати пяти домах", "ru", {"35"}),
        ("40 тыс. человек", "ru", {"40000"}),
        ("5 cien", "es", {"5", "100"}),
    ],
)
def test_a_number_of_several_words_is_one(text: str, language: Language, numbers: set[str]) -> None:
    assert stated(text, language) == numbers


@given(st.integers(0, 10**9))
def test_marks_between_thousands_change_nothing(value: int) -> None:
    spellings = {f"{value:,}", f"{value:,}".replace(",", "."), f"{value:,}".replace(",", " ")}
    assert {written(spelling) for spelling in spellings} == {frozenset({str(value)})}


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    assert written(text) <= stated(text)

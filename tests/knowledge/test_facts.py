"""A price, a month, a day or a name that was changed is seen, however a language writes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.knowledge.calendar_words import named
from lumbre.knowledge.facts import facts, having
from lumbre.words import Language


@pytest.mark.parametrize(
    ("sentence", "language", "text"),
    [
        ("El plazo acaba el 15 de marzo de 2025.", "es", "до 15.03.2025 включительно"),
        ("The bins are collected on Tuesdays.", "en", "La basura se recoge los martes."),
        ("Собрание было во вторник, 2025-06-03.", "ru", "The meeting on Tuesday, 3 June 2025."),
        ("Cuesta 1.250 euros.", "es", "It is 1,250 euros."),
        ("It takes twelve hours.", "en", "al menos doce horas"),
        ("Председатель — Светлана Игоревна Орлова.", "ru", "избрана Светлана Орлова Игоревна"),
        ("It is $1,740.50.", "en", "сумма: 1740,5 долларов"),
        ("Entre 10 y 12 semanas.", "es", "It takes 10-12 weeks."),
        ("Скидка 5 процентов.", "ru", "Descuento: 5 %, a partir de diez días"),
        ("It costs 45 euros.", "en", "| Garage | 45 |"),
        ("The notice is one month.", "en", "con un mes de antelación"),
        ("It ends on 11/03/2027.", "en", "ends on 11 March 2027"),
        ("Son dos mil quinientos euros.", "es", "2 500 €"),
        ("El 5 de mayo.", "es", "5 и 6 мая 2025 года"),
        ("March 12, 2024.", "en", "12-го марта 2024 г."),
    ],
)
def test_the_same_fact_is_found_in_other_words(
    sentence: str, language: Language, text: str
) -> None:
    wanted = facts(sentence, language)
    assert wanted
    assert having(wanted, text) == wanted


@pytest.mark.parametrize(
    ("sentence", "language", "text"),
    [
        ("El plazo acaba el 15 de abril.", "es", "El plazo acaba el 15 de marzo."),
        ("The bins are collected on Tuesdays.", "en", "The bins are collected on Thursdays."),
        ("Собрание в среду.", "ru", "Собрание в пятницу."),
        ("It costs 871 euros.", "en", "It costs 870 euros."),
        ("The chair is Mary Poole.", "en", "The chair is Anna Poole."),
        ("The rent is 870 dollars.", "en", "The rent is 870 euros."),
        ("La renta es de $870.", "es", "La renta es de 870 €."),
        ("The fee is 5 euros.", "en", "A fee of 5 percent."),
        ("Пеня составляет 10 процентов.", "ru", "пеня 5 % через десять дней"),
        ("Two weeks' notice.", "en", "Two months' notice."),
        ("One month's notice.", "en", "Two months' notice."),
        ("It ends on 12 March 2027.", "en", "from 12 March 2024 to 11 March 2027"),
        ("Son dos mil euros.", "es", "dos mil quinientos euros"),
        ("Это 40 рублей.", "ru", "сорок тысяч рублей"),
        ("С 5 мая.", "ru", "с 9 мая по 5 июня"),
    ],
)
def test_a_changed_fact_is_missed(sentence: str, language: Language, text: str) -> None:
    wanted = facts(sentence, language)
    assert having(wanted, text) < wanted


def test_may_and_march_are_months_only_with_a_capital_letter() -> None:
    assert named("You may march in the street.") == frozenset()
    assert named("It ends in May, not in March.") == {"month5", "month3"}


def test_names_are_asked_for_only_where_the_languages_agree() -> None:
    assert "name londo" in facts("We met in London.", "en")
    assert facts("We met in London.", "en", names=False) == frozenset()


@given(st.text(max_size=80), st.sampled_from(["en", "es", "ru"]))
def test_a_sentence_states_its_own_facts(text: str, language: Language) -> None:
    wanted = facts(text, language)
    assert having(wanted, text) == wanted

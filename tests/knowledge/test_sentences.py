"""A quote is one sentence: whole, and no more, in the three languages and in any layout."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.knowledge.sentences import sentences


def cut(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentences(text)]


@pytest.mark.parametrize(
    "said",
    [
        ["El Sr. García vive en la Avda. del Olmo, n.º 27, 3.º izq.", "Paga 1.250,50 € al mes."],
        ["¿Cuánto cuesta?", "¡Nada!", "Véase el art. 5 y la pág. 12."],
        ["Trae fruta, pan, etc.", "Luego se va."],
        ["La factura, p. ej., la de enero, se paga aparte.", "Punto."],
        ["Г. Калуга, ул. Ленина, д. 5, кв. 12.", "Договор подписан в 2025 г.", "Он действует год."],
        ["Скидка 1,5 тыс. руб. на человека, т. е. половина.", "Остальное позже."],
        ["«Стой!» — крикнул он.", "А. С. Пушкин не ответил..."],
        [
            "Mr. Hale pays 3.5 percent, i.e. little.",
            "See fig. 4.",
            "It costs $5.20 in the U.S. today.",
        ],
        ["The limit is 140 kg for the Fenway E.", "The rack carries 22 kg."],
        ["Open 9 a.m. to 5 p.m. on weekdays.", "Closed on Sundays."],
    ],
)
def test_a_dot_that_belongs_to_a_word_ends_nothing(said: list[str]) -> None:
    assert cut(" ".join(said)) == said


def test_headings_items_and_rows_stand_alone() -> None:
    text = (
        "# Renta\n\nLa renta es de 870 euros\n- se paga el día 5\n- por transferencia\n"
        "1. Primero\n1.2. La cláusula segunda.\n| Año | Precio |\n|---|---|\n| 2025 | 40 € |\n"
    )
    assert cut(text) == [
        "Renta",
        "La renta es de 870 euros",
        "se paga el día 5",
        "por transferencia",
        "1. Primero",
        "1.2. La cláusula segunda.",
        "| Año | Precio |",
        "| 2025 | 40 € |",
    ]


def test_lines_broken_by_the_width_of_a_page_run_on() -> None:
    text = (
        "Оператор гарантирует в часы наибольшей нагрузки скорость не ниже\n180 Мбит/с. В остальное"
        " время скорость не ограничена ничем, кроме\nтарифа. Плата вносится\nзаранее.\n"
    )
    assert cut(text) == [
        "Оператор гарантирует в часы наибольшей нагрузки скорость не ниже\n180 Мбит/с.",
        "В остальное время скорость не ограничена ничем, кроме\nтарифа.",
        "Плата вносится\nзаранее.",
    ]


def test_a_label_goes_with_what_it_labels() -> None:
    text = "E40. Carga mal repartida. Algodón 60. Para ropa blanca.\n\nPELIGRO.\nNo abra la puerta."
    assert cut(text) == [
        "E40. Carga mal repartida.",
        "Algodón 60. Para ropa blanca.",
        "PELIGRO.",
        "No abra la puerta.",
    ]


@given(st.text(max_size=2000) | st.text("aB1. \n-—¿?!«»#|,;", max_size=2000))
def test_sentences_are_in_order_apart_trimmed_and_of_bounded_length(text: str) -> None:
    end = 0
    for span in sentences(text):
        assert end <= span.start < span.end <= len(text)
        assert span.end - span.start <= 500
        said = text[span.start : span.end]
        assert said == said.strip()
        end = span.end


@given(st.lists(st.sampled_from(["Va solo.", "¿Quién es?", "Он ушёл!", "It rains."]), max_size=20))
def test_plain_sentences_are_found_one_by_one(said: list[str]) -> None:
    assert cut(" ".join(said)) == said


def test_a_row_of_a_table_is_one_sentence_whatever_its_cells_say() -> None:
    text = "| Nombre | Pago |\n| Sr. Gil. Vive en Cádiz. | sí |\n| Ana | no |\n"
    said = [text[span.start : span.end] for span in sentences(text)]
    assert [row.count("|") for row in said] == [3, 3, 3]

"""A quote bears a sentence out, says its numbers, and has to do with the question."""

import asyncio
import re

import pytest

from lumbre.knowledge.cite import Borne, bear_out, stands
from lumbre.knowledge.index import Index
from lumbre.knowledge.lines import Sources, sources
from lumbre.knowledge.retrieve import search
from lumbre.knowledge.sentinel import denies
from lumbre.knowledge.support import Claim
from lumbre.words import Language
from tests.knowledge.conftest import InProcess


def borne(
    index: Index, use: InProcess, question: str, sentence: str, language: Language
) -> Borne | None:
    async def look() -> Borne | None:
        found = await search(question, index, use, fallback=language)
        vectors = await use.embed([sentence, f"{question} {sentence}", question])
        claim = Claim(sentence, question, language, vectors[:2], vectors[2])
        return bear_out(claim, sources(index, found.hits))

    return asyncio.run(look())


@pytest.mark.parametrize(
    ("language", "question", "sentence", "start"),
    [
        (
            "es",
            "¿De cuánto es la fianza del piso de la calle del Olmo?",
            "La fianza del piso de la calle del Olmo es de 870 euros.",
            "Los arrendatarios entregan en este acto una fianza",
        ),
        (
            "ru",
            "Сколько килограммов выдерживает задний багажник велосипеда Fenway?",
            "Задний багажник велосипеда Fenway выдерживает до 22 килограммов.",
            "The rear rack carries up to 22 kilograms.",
        ),
        (
            "en",
            "How much will the dacha association spend on the barrier at the entrance?",
            "The dacha association will spend 126,000 rubles on the barrier.",
            "Шлагбаум на въезде поставят до 15 июля",
        ),
        (
            "es",
            "¿Cuántas horas descansa la masa de las croquetas?",
            "Descansa al menos 12 horas.",
            "La masa de las croquetas descansa en la nevera al menos doce horas",
        ),
        (
            "en",
            "What did a ceramic crown cost in 2025?",
            "A ceramic crown cost 540 euros.",
            "In 2025, a ceramic crown costs 540 euros",
        ),
    ],
)
def test_a_right_answer_finds_its_sentence(
    household_papers: Index,
    use: InProcess,
    language: Language,
    question: str,
    sentence: str,
    start: str,
) -> None:
    found = borne(household_papers, use, question, sentence, language)
    assert found
    assert found.answers
    assert found.quotes[0].text.startswith(start)
    assert all(stands(quote, household_papers) for quote in found.quotes)


@pytest.mark.parametrize(
    ("language", "question", "sentence"),
    [
        ("en", "What did a ceramic crown cost in 2025?", "A ceramic crown cost 585 euros."),
        ("en", "What did a ceramic crown cost in 2024?", "A ceramic crown cost 540 euros."),
        ("ru", "Сколько телеканалов входит в тариф «Домашний 300»?", "Входит 300 телеканалов."),
        ("es", "¿A qué hora abre la piscina de la comunidad?", "La piscina abre a las 19:00."),
        (
            "es",
            "¿Cuánto costaba nueva la lavadora LX-8?",
            "El número de serie tiene catorce cifras.",
        ),
        (
            "en",
            "What percentage does Harrow & Pike contribute to the pension plan?",
            "Harrow & Pike contributes 81% to the pension plan.",
        ),
        (
            "en",
            "How long are crowns guaranteed in 2025?",
            "Crowns are guaranteed for six years.",
        ),
    ],
)
def test_a_wrong_answer_finds_nothing_that_answers(
    household_papers: Index, use: InProcess, language: Language, question: str, sentence: str
) -> None:
    """Each is what a model of 1.5B said to a question whose answer is not there."""
    found = borne(household_papers, use, question, sentence, language)
    assert found is None or not found.answers


def test_no_number_can_be_changed_in_any_sentence_of_the_examples(
    household_papers: Index, use: InProcess
) -> None:
    """Every sentence with a number bears itself out, and not itself with another number."""
    changed = kept = 0
    for document in household_papers.documents():
        stored = household_papers.stored(document.path)
        assert stored
        every = _all_lines(household_papers, document.path)
        for line in every.lines:
            number = re.search(r"(?<![\d.,])\d{2,3}(?![\d.,])", line.text)
            if not number or changed > 40:
                continue
            alone = Sources((line,), every.texts)
            wrong = line.text.replace(number.group(), "7777")
            vectors = asyncio.run(use.embed([line.text, wrong]))
            true = Claim(line.text, line.text, line.hit.language, vectors[:1], vectors[0])
            false = Claim(wrong, line.text, line.hit.language, vectors[1:], vectors[0])
            kept += (found := bear_out(true, alone)) is not None and found.answers
            assert bear_out(false, alone) is None
            changed += 1
    assert changed == kept > 30


def _all_lines(index: Index, path: str) -> Sources:
    from lumbre.core.document import Hit

    stored = index.stored(path)
    assert stored
    text = stored.parsed.text
    return sources(index, [Hit(path, None, 0, len(text), text, 1.0, "es")])


@pytest.mark.parametrize(
    "sentence",
    [
        "The cost of an implant is not provided in the given passages.",
        "No hay información en los fragmentos sobre la wifi.",
        "В отрывках не сказано о дроне.",
    ],
)
def test_a_refusal_in_any_place_of_a_sentence_is_told(sentence: str) -> None:
    assert denies(sentence)


@pytest.mark.parametrize(
    "sentence",
    ["No se admiten perros.", "Не более 90 дней в году.", "The documents must be signed."],
)
def test_a_negative_answer_is_no_refusal(sentence: str) -> None:
    assert not denies(sentence)

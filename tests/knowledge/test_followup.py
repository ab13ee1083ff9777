"""A question that leans on the one before it is searched together with that one."""

import json
from pathlib import Path

import pytest

from lumbre.core.messages import Message
from lumbre.knowledge.followup import leans_back, search_text


def test_example_questions_are_told_apart(examples: Path) -> None:
    cases = [json.loads(line) for line in (examples / "questions.jsonl").read_text().splitlines()]
    later = [case["question"] for case in cases if case["previous"]]
    alone = [case["question"] for case in cases if not case["previous"]]
    assert [question for question in later if not leans_back(question)] == []
    assert sum(map(leans_back, alone)) <= 0.15 * len(alone)


@pytest.mark.parametrize(
    "said", ["Hola, ¿qué tal?", "¡Gracias!", "Thanks", "How are you?", "Привет! Как дела?", "Ok."]
)
def test_small_talk_leans_on_nothing(said: str) -> None:
    assert not leans_back(said)


def test_a_leaning_question_is_searched_with_those_it_leans_on() -> None:
    history = [
        Message("user", "¿Qué significa el código E40 de la lavadora?"),
        Message("assistant", "Carga mal repartida."),
        Message("user", "¿Cuánto cuesta al mes el piso de la calle del Olmo?"),
        Message("assistant", "870 euros."),
        Message("user", "¿De cuánto es la fianza?"),
        Message("assistant", "De 870 euros."),
    ]
    assert search_text("¿Y cuándo se devuelve?", history) == (
        "¿Cuánto cuesta al mes el piso de la calle del Olmo?"
        " ¿De cuánto es la fianza? ¿Y cuándo se devuelve?"
    )
    alone = "¿Qué significa el código E40 de la lavadora?"
    assert search_text(alone, history) == alone
    assert search_text("¿Y cuándo?", []) == "¿Y cuándo?"

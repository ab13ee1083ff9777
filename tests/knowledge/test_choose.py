"""A model's sentence is worth what its quote is, and nothing where it only says the question."""

import pytest

from lumbre.knowledge.choose import says_nothing
from lumbre.words import Language


@pytest.mark.parametrize(
    ("language", "question", "sentence", "nothing"),
    [
        ("es", "¿Cuánto cuesta la cuota mensual?", "La cuota mensual cuesta eso.", True),
        ("es", "¿Cuánto cuesta la cuota mensual?", "La cuota mensual cuesta 71 euros.", False),
        ("en", "How many guests may stay?", "Guests may stay.", True),
        ("en", "How many guests may stay?", "Two guests may stay.", False),
        ("ru", "Как называется доктрина Ганди?", "Доктрина Ганди так и называется.", True),
        ("ru", "Как называется доктрина Ганди?", "Доктрина называется сатьяграха.", False),
    ],
)
def test_a_sentence_that_only_says_the_question_again_says_nothing(
    language: Language, question: str, sentence: str, nothing: bool
) -> None:
    assert says_nothing(sentence, question, language) is nothing

"""The language of a text is known from a question's few words on."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.knowledge.language import language_of
from lumbre.words import LANGUAGES, Language


@pytest.mark.parametrize("language", LANGUAGES)
def test_questions_and_paragraphs_are_told_apart(test_data: Path, language: Language) -> None:
    """Floors under what was measured: docs/decisions/002-language-by-stop-words.md."""
    articles = json.loads((test_data / f"retrieval/xquad-dev.{language}.json").read_text())["data"]
    paragraphs = [p for article in articles for p in article["paragraphs"]]
    questions = [qa["question"] for p in paragraphs for qa in p["qas"]]
    starts = [" ".join(question.split()[:4]) for question in questions]
    other: Language = "es" if language == "en" else "en"

    def share(texts: list[str]) -> float:
        return sum(language_of(text, other) == language for text in texts) / len(texts)

    assert share([p["context"] for p in paragraphs]) == 1.0
    assert share(questions) >= 0.998
    assert share(starts) >= 0.96


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("¿Y en qué plazo se devuelve?", "es"),
        ("cuanto cuesta la fianza del piso", "es"),
        ("And for the electric one?", "en"),
        ("А E02?", "ru"),
        ("Кто написал Liber servitoris?", "ru"),
        ("The Russian word «мир» means peace and world", "en"),
    ],
)
def test_short_questions_are_told_apart(text: str, language: Language) -> None:
    other: Language = "es" if language == "en" else "en"
    assert language_of(text, other) == language


@given(st.text("0123456789 .,%€-"), st.sampled_from(LANGUAGES))
def test_what_tells_nothing_gets_the_language_given(text: str, fallback: Language) -> None:
    assert language_of(text, fallback) == fallback


@given(st.text(), st.sampled_from(LANGUAGES))
def test_any_text_gets_a_language(text: str, fallback: Language) -> None:
    assert language_of(text, fallback) in LANGUAGES

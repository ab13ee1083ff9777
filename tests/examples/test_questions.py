"""Every example question agrees with the example documents."""

import json
import re
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DOCUMENTS = EXAMPLES / "documents"
KEYS = [
    "id",
    "language",
    "question",
    "document",
    "page",
    "passage",
    "answer",
    "kind",
    "previous",
]
LEAST = {
    "direct": 6,
    "cross_lingual": 10,
    "unanswerable": 10,
    "beyond_page_10": 5,
    "near_duplicate": 5,
    "follow_up": 10,
}
DOCUMENT_LANGUAGE = {
    "acta-junta-vecinos.txt": "es",
    "bike-warranty.txt": "en",
    "contrato-alquiler.md": "es",
    "dogovor-internet.txt": "ru",
    "employment-handbook.md": "en",
    "instruktsiya-kotel.md": "ru",
    "manual-lavadora.pdf": "es",
    "poezdka-altai.md": "ru",
    "price-list-2025.md": "en",
    "price-list-2026.md": "en",
    "protokol-sobraniya.md": "ru",
    "recetas-abuela.md": "es",
}


def squeeze(text: str) -> str:
    """Make every run of whitespace one space."""
    return " ".join(text.split())


@cache
def pages_of(name: str) -> tuple[str, ...]:
    """Return the squeezed text of each page; a text file has a single page."""
    path = DOCUMENTS / name
    if path.suffix != ".pdf":
        return (squeeze(path.read_text(encoding="utf-8")),)
    document = pdfium.PdfDocument(str(path))
    try:
        pages: list[str] = []
        for page in document:
            text_page = page.get_textpage()
            pages.append(squeeze(text_page.get_text_range()))
            text_page.close()
            page.close()
        return tuple(pages)
    finally:
        document.close()


def load() -> list[dict[str, Any]]:
    """Read the questions."""
    text = (EXAMPLES / "questions.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


QUESTIONS = load()
ANSWERABLE = [question for question in QUESTIONS if question["kind"] != "unanswerable"]


def name_of(question: dict[str, Any]) -> str:
    """Name a test case by the id of its question."""
    return str(question["id"])


def test_counts_by_kind() -> None:
    """There are enough questions of every kind, and no other kinds."""
    counts = Counter(question["kind"] for question in QUESTIONS)
    assert set(counts) == set(LEAST)
    assert len(QUESTIONS) >= 56
    for kind, least in LEAST.items():
        assert counts[kind] >= least, kind


def test_ids_are_unique() -> None:
    """No two questions share an id."""
    counts = Counter(question["id"] for question in QUESTIONS)
    assert [key for key, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("kind", ["direct", "unanswerable", "follow_up"])
def test_kind_in_three_languages(kind: str) -> None:
    """Direct, unanswerable and follow-up questions come in all three languages."""
    languages = {question["language"] for question in QUESTIONS if question["kind"] == kind}
    assert languages == {"es", "ru", "en"}


def test_cross_lingual_pairs() -> None:
    """Cross-lingual questions cover every ordered pair of languages."""
    pairs = {
        (question["language"], DOCUMENT_LANGUAGE[question["document"]])
        for question in QUESTIONS
        if question["kind"] == "cross_lingual"
    }
    languages = ("es", "ru", "en")
    assert pairs == {(a, b) for a in languages for b in languages if a != b}


@pytest.mark.parametrize("question", QUESTIONS, ids=name_of)
def test_form(question: dict[str, Any]) -> None:
    """A question has the agreed keys, and values that fit its kind."""
    assert list(question) == KEYS
    assert question["question"].strip()
    assert (question["previous"] is not None) == (question["kind"] == "follow_up")
    assert all(isinstance(text, str) and text.strip() == text for text in question["answer"])
    if question["kind"] == "unanswerable":
        assert question["document"] is question["page"] is question["passage"] is None
        assert question["answer"] == []
    else:
        assert question["document"] in DOCUMENT_LANGUAGE
        assert question["answer"]


@pytest.mark.parametrize("question", QUESTIONS, ids=name_of)
def test_language(question: dict[str, Any]) -> None:
    """The language is that of the question, and crosses only where the kind says so."""
    assert question["language"] in {"es", "ru", "en"}
    text = question["question"] + (question["previous"] or "")
    cyrillic = len(re.findall("[а-яё]", text.lower()))
    assert (cyrillic > len(text) / 4) == (question["language"] == "ru")
    assert ("¿" in text) == (question["language"] == "es")
    if question["document"] is not None:
        crosses = DOCUMENT_LANGUAGE[question["document"]] != question["language"]
        assert crosses == (question["kind"] == "cross_lingual")


@pytest.mark.parametrize("question", ANSWERABLE, ids=name_of)
def test_passage_stands_in_its_document(question: dict[str, Any]) -> None:
    """The passage stands once over all documents, in its document and on its page."""
    passage = squeeze(question["passage"])
    found = [
        (name, number)
        for name in DOCUMENT_LANGUAGE
        for number, text in enumerate(pages_of(name), start=1)
        for _ in range(text.count(passage))
    ]
    assert found == [(question["document"], question["page"] or 1)]
    assert (question["page"] is not None) == question["document"].endswith(".pdf")
    if question["kind"] == "beyond_page_10":
        assert question["page"] > 10


@pytest.mark.parametrize("question", ANSWERABLE, ids=name_of)
def test_passage_is_exact(question: dict[str, Any]) -> None:
    """A passage of a text file stands there to the character; one of the PDF is squeezed."""
    if question["document"].endswith(".pdf"):
        assert squeeze(question["passage"]) == question["passage"]
    else:
        text = (DOCUMENTS / question["document"]).read_text(encoding="utf-8")
        assert question["passage"] in text


@pytest.mark.parametrize("question", ANSWERABLE, ids=name_of)
def test_answer_stands_in_the_passage(question: dict[str, Any]) -> None:
    """At least one accepted answer can be read in the passage."""
    passage = squeeze(question["passage"]).casefold()
    assert any(text.casefold() in passage for text in question["answer"])


def test_documents_are_the_listed_ones() -> None:
    """The folder holds the listed documents and nothing else."""
    assert sorted(path.name for path in DOCUMENTS.iterdir()) == sorted(DOCUMENT_LANGUAGE)


@pytest.mark.parametrize("name", sorted(DOCUMENT_LANGUAGE))
def test_text_form(name: str) -> None:
    """A text file is UTF-8 in NFC with plain line ends; the PDF is small and long enough."""
    path = DOCUMENTS / name
    if path.suffix == ".pdf":
        assert len(pages_of(name)) >= 24
        assert path.stat().st_size < 150_000
        assert all(text.endswith(f"página {i}") for i, text in enumerate(pages_of(name), 1))
    else:
        text = path.read_bytes().decode("utf-8")
        assert "\r" not in text
        assert unicodedata.is_normalized("NFC", text)

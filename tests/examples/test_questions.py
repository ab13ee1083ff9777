"""Every example question agrees with the example documents."""

import json
import re
import unicodedata
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium
import pytest
from docx import Document
from docx.table import Table

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
COUNTS = {
    "direct": 44,
    "cross_lingual": 28,
    "unanswerable": 24,
    "beyond_page_10": 8,
    "near_duplicate": 10,
    "follow_up": 18,
}
DOCUMENT_LANGUAGE = {
    "acta-junta-vecinos.txt": "es",
    "bike-warranty.txt": "en",
    "contrato-alquiler.md": "es",
    "dogovor-internet.txt": "ru",
    "employment-handbook.md": "en",
    "instruktsiya-kotel.md": "ru",
    "manual-lavadora.pdf": "es",
    "museo-faro.html": "es",
    "poezdka-altai.md": "ru",
    "poliza-hogar.docx": "es",
    "price-list-2025.md": "en",
    "price-list-2026.md": "en",
    "protokol-sobraniya.md": "ru",
    "recetas-abuela.md": "es",
    "school-handbook.docx": "en",
    "semeynaya-khronika.txt": "ru",
    "vetklinika.html": "ru",
}
ENCODING = {"semeynaya-khronika.txt": "windows-1251"}
"""Of the text files that are not UTF-8."""

SQUEEZED = {".pdf", ".docx", ".html"}
"""Endings of the files whose passages are written with single spaces."""


def squeeze(text: str) -> str:
    """Make every run of whitespace one space."""
    return " ".join(text.split())


def plain_text(name: str) -> str:
    """Return the text of a text file, its lines ended by single newlines."""
    return (DOCUMENTS / name).read_text(encoding=ENCODING.get(name, "utf-8"))


def word_text(path: Path) -> str:
    """Return the paragraphs and the rows of the tables of a Word file, in order."""
    lines: list[str] = []
    for block in Document(str(path)).iter_inner_content():
        if isinstance(block, Table):
            lines.extend(" ".join(cell.text for cell in row.cells) for row in block.rows)
        else:
            lines.append(block.text)
    return "\n".join(lines)


class Seen(HTMLParser):
    """Collects the text of a web page that a reader sees."""

    INLINE = ("a", "b")
    VOID = ("meta", "br")

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.unseen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Go into an unseen element; separate what begins in a new block."""
        hidden = "hidden" in dict(attrs) or "display:none" in (dict(attrs).get("style") or "")
        if tag not in self.VOID and (
            self.unseen or hidden or tag in {"head", "style", "script", "template"}
        ):
            self.unseen.append(tag)
        if tag not in self.INLINE:
            self.text += " "

    def handle_endtag(self, tag: str) -> None:
        """Come out of an unseen element; separate what comes after a block."""
        if self.unseen:
            assert self.unseen.pop() == tag
        if tag not in self.INLINE:
            self.text += " "

    def handle_data(self, data: str) -> None:
        """Take the text unless it is unseen."""
        if not self.unseen:
            self.text += data


def web_text(path: Path) -> str:
    """Return what a reader sees of a web page."""
    seen = Seen()
    seen.feed(path.read_text(encoding="utf-8"))
    seen.close()
    assert seen.unseen == []
    return seen.text


@cache
def pages_of(name: str) -> tuple[str, ...]:
    """Return the squeezed text of each page; all but the PDF have a single page."""
    path = DOCUMENTS / name
    match path.suffix:
        case ".docx":
            return (squeeze(word_text(path)),)
        case ".html":
            return (squeeze(web_text(path)),)
        case ".pdf":
            return pdf_pages(path)
        case _:
            return (squeeze(plain_text(name)),)


def pdf_pages(path: Path) -> tuple[str, ...]:
    """Return the squeezed text of each page of a PDF."""
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
    """No question was dropped and none came in unseen."""
    assert Counter(question["kind"] for question in QUESTIONS) == COUNTS


def test_every_document_is_asked_about() -> None:
    """No document stands there without questions, least of all one in a rarer format."""
    asked = Counter(question["document"] for question in ANSWERABLE)
    assert set(asked) == set(DOCUMENT_LANGUAGE)
    for name in DOCUMENT_LANGUAGE:
        if name in ENCODING or Path(name).suffix in {".docx", ".html"}:
            assert asked[name] >= 5, name


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
    """A passage of a text file stands there to the character; the others are squeezed."""
    if Path(question["document"]).suffix in SQUEEZED:
        assert squeeze(question["passage"]) == question["passage"]
    else:
        assert question["passage"] in plain_text(question["document"])


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
    """A text file is in its encoding and NFC, with the line ends of its time."""
    path = DOCUMENTS / name
    data = path.read_bytes()
    if name in ENCODING:
        with pytest.raises(UnicodeDecodeError):
            data.decode("utf-8")
        assert data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r") > 0
        assert plain_text(name).replace("\n", "\r\n").encode(ENCODING[name]) == data
    elif path.suffix not in {".pdf", ".docx"}:
        assert b"\r" not in data
    assert all(unicodedata.is_normalized("NFC", text) for text in pages_of(name))


def test_the_pdf_is_small_and_long_enough() -> None:
    """The manual has enough pages, numbered in their order, in a small file."""
    name = "manual-lavadora.pdf"
    assert len(pages_of(name)) >= 24
    assert (DOCUMENTS / name).stat().st_size < 150_000
    assert all(text.endswith(f"página {i}") for i, text in enumerate(pages_of(name), 1))


@pytest.mark.parametrize("name", ["poliza-hogar", "school-handbook"])
def test_a_word_file_says_what_its_source_says(name: str) -> None:
    """Nothing was changed in the source or in the Word file without the other."""
    source = (EXAMPLES / "sources" / f"{name}.md").read_text(encoding="utf-8")
    written = re.sub(r"^(?:#+|-|\d+\.) |\*\*|\|", "", source, flags=re.MULTILINE)
    assert pages_of(f"{name}.docx") == (squeeze(written),)


def test_a_web_page_has_text_that_is_not_seen() -> None:
    """The pages carry, unseen, an old price and a discount that was never given."""
    for name, unseen in [("museo-faro.html", "Aviso antiguo"), ("vetklinika.html", "пенсионерам")]:
        assert (DOCUMENTS / name).read_text(encoding="utf-8").count(unseen) == 1
        assert unseen not in pages_of(name)[0]

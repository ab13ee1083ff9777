"""A PDF gives the words of its pages, or a reason in good time, however many pages it claims."""

import asyncio
import random
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from lumbre.core.document import Bounds
from lumbre.core.errors import DocumentUnreadable
from lumbre.knowledge.parsers import pdf
from lumbre.knowledge.reading import Limits, Reader, ReadFile
from lumbre.words import sentences


def book(pages: int) -> bytes:
    """A PDF of so many pages that all show the same line, about a hundred bytes a page."""
    line = b"BT /F 12 Tf 20 200 Td (La renta) Tj ET"
    kids = b" ".join(b"%d 0 R" % (number + 5) for number in range(pages))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count %d/Kids[%b]/MediaBox[0 0 300 300]"
        b"/Resources<</Font<</F 3 0 R>>>>>>" % (pages, kids),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Length %d>>stream\n%b\nendstream" % (len(line), line),
        *[b"<</Type/Page/Parent 2 0 R/Contents 4 0 R>>"] * pages,
    ]
    made = bytearray(b"%PDF-1.4\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(b"%010d 00000 n \n" % len(made))
        made += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = len(made)
    size = len(objects) + 1
    made += b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, b"".join(places))
    made += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (size, table)
    return bytes(made)


def given(paths: list[Path], limits: Limits) -> list[ReadFile | str]:
    async def all_of_them() -> list[ReadFile | str]:
        found: list[ReadFile | str] = []
        async with Reader(limits) as reader:
            for path in paths:
                try:
                    found.append(await reader.read(path))
                except DocumentUnreadable as error:
                    found.append(str(error.facts["reason"]))
        return found

    return asyncio.run(all_of_them())


def test_a_book_of_100_000_pages_is_refused_by_its_pages_alone(tmp_path: Path) -> None:
    path = tmp_path / "book.pdf"
    path.write_bytes(book(100_000))
    assert given([path], Limits()) == ["pages"]


def test_a_book_within_its_bounds_is_read_to_the_last_page() -> None:
    parsed = pdf.parse(book(2_000), Bounds(pages=2_000))
    assert len(parsed.pages) == 2_000
    assert parsed.pages[0].start == 0
    assert parsed.pages[-1].end == len(parsed.text)
    assert all(one.end == next_.start for one, next_ in pairwise(parsed.pages))
    assert parsed.text.count("La renta") == 2_000
    with pytest.raises(DocumentUnreadable):
        pdf.parse(book(2_000), Bounds(pages=1_999))


def test_a_page_tree_that_lies_ends_in_a_text_or_a_reason(tmp_path: Path) -> None:
    honest = book(3)
    lies = {
        "count.pdf": honest.replace(b"/Count 3", b"/Count 9"),
        "huge.pdf": honest.replace(b"/Count 3", b"/Count 2147483647"),
        "loop.pdf": honest.replace(b"/Kids[5 0 R", b"/Kids[2 0 R"),
        "self.pdf": honest.replace(b"/Parent 2 0 R", b"/Parent 5 0 R", 1),
    }
    paths = [tmp_path / name for name in lies]
    for path, data in zip(paths, lies.values(), strict=True):
        path.write_bytes(data)
    for one in given(paths, Limits(timeout_s=10)):
        assert isinstance(one, ReadFile) or one in sentences("docs")


def test_damaged_files_give_a_text_or_a_reason(tmp_path: Path, examples: Path) -> None:
    whole = (examples / "documents" / "manual-lavadora.pdf").read_bytes()
    chance = random.Random(7)
    paths = []
    for number in range(40):
        data = bytearray(whole[: chance.randrange(1, len(whole))] if number % 4 == 0 else whole)
        for _ in range(chance.randrange(60)):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        paths.append(tmp_path / f"{number}.pdf")
        paths[-1].write_bytes(data)
    found = given(paths, Limits(timeout_s=20))
    assert len(found) == len(paths)
    assert {one for one in found if isinstance(one, str)} <= set(sentences("docs"))
    assert any(isinstance(one, ReadFile) for one in found)


def test_what_was_filled_in_a_form_is_read(test_data: Path) -> None:
    data = (test_data / "documents/hostile/form_acrobatReader.pdf").read_bytes()
    assert pdf.parse(data, Bounds()).text.split() == ["foo", "1", "Bar"]


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.replace("-\n", "")))


def recall(text: str, truth: str) -> float:
    """The share of the words of a truth that a text has, each as often."""
    wanted = words(truth)
    return (words(text) & wanted).total() / wanted.total()


def test_the_words_of_a_book_come_back(test_data: Path, tmp_path: Path) -> None:
    from fpdf import FPDF

    truth = (test_data / "documents/truth/GeoTopo-book.txt").read_text(encoding="utf-8")
    plain = truth.encode("latin-1", "ignore").decode("latin-1")[:60_000]
    made = FPDF()
    made.set_font("helvetica", size=9)
    made.add_page()
    made.multi_cell(0, 4, plain)
    path = tmp_path / "book.pdf"
    path.write_bytes(made.output())
    (one,) = given([path], Limits())
    assert isinstance(one, ReadFile)
    assert recall(one.parsed.text, plain) >= 0.98


def test_the_words_of_a_typeset_book_are_those_of_its_truth(test_data: Path) -> None:
    found = sorted((test_data / "documents").rglob("*[gG]eo[tT]opo*.pdf"))
    if not found:
        pytest.skip("the GeoTopo PDF is not in this copy of the test data")
    truth = (test_data / "documents/truth/GeoTopo-book.txt").read_text(encoding="utf-8")
    (one,) = given(found[:1], Limits())
    assert isinstance(one, ReadFile)
    assert recall(one.parsed.text, truth) >= 0.95

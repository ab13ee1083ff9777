"""A text file is read in the letters it was written in, and stored in one way of writing."""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.knowledge.decode import decoded, is_binary
from lumbre.knowledge.tidy import tidy

SPANISH = "El año pasado, la señora Núñez pagó 450 € de alquiler. ¿Cuánto pagará éste?\n"
RUSSIAN = "В прошлом году Мария Ёлкина платила 450 рублей. Сколько заплатит в этом?\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_spanish_is_read_in_every_encoding(encoding: str) -> None:
    assert decoded(SPANISH.encode(encoding)) == SPANISH


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1251"])
def test_russian_is_read_in_every_encoding(encoding: str) -> None:
    assert decoded(RUSSIAN.encode(encoding)) == RUSSIAN


@pytest.mark.parametrize(("language", "encoding"), [("es", "cp1252"), ("ru", "cp1251")])
def test_old_encodings_are_told_apart_on_real_paragraphs(
    test_data: Path, language: str, encoding: str
) -> None:
    articles = json.loads((test_data / f"retrieval/xquad-dev.{language}.json").read_text())["data"]
    paragraphs = [p["context"] for article in articles for p in article["paragraphs"]]
    plain = [p.encode(encoding, "ignore").decode(encoding) for p in paragraphs]
    wrong = [text for text in plain if decoded(text.encode(encoding)) != text]
    assert len(wrong) <= 0.01 * len(plain), wrong[:1]


def test_one_broken_letter_does_not_turn_a_utf8_file_into_another_language() -> None:
    data = (RUSSIAN * 5).encode()
    assert decoded(data[:40] + b"\xff" + data[40:]).count("Мария") == 5


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00\ufeff")))
def test_what_utf8_can_write_is_read_back(text: str) -> None:
    assert decoded(text.encode()) == text


@given(st.binary())
def test_any_bytes_give_a_text(data: bytes) -> None:
    assert isinstance(decoded(data), str)


def test_bytes_of_a_program_are_no_text() -> None:
    assert is_binary(b"\x7fELF\x02\x01\x01\x00\x00")
    assert is_binary(bytes(range(1, 32)) * 10)
    assert not is_binary(SPANISH.encode("cp1252"))
    assert not is_binary(RUSSIAN.encode("utf-16"))


@given(st.text())
def test_a_tidied_text_is_composed_and_has_nothing_invisible_to_break_offsets(text: str) -> None:
    clean = tidy(text)
    assert clean == unicodedata.normalize("NFC", clean)
    assert "\r" not in clean
    kept = {"\n", "\t"}
    assert not [c for c in clean if unicodedata.category(c) in ("Cc", "Cs") and c not in kept]
    assert tidy(clean) == clean


def test_every_kind_of_line_end_becomes_one() -> None:
    assert tidy("a\r\nb\rc\x0cd\u2028e") == "a\nb\nc\nd\ne"

"""A text file is read in the letters it was written in, and stored in one way of writing."""

import json
import unicodedata
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.knowledge.decode import decoded, is_binary
from lumbre.knowledge.tidy import tidy

SPANISH = "El año pasado, la señora Núñez pagó 450 € de alquiler. ¿Cuánto pagará éste?\n"
LATIN_1 = SPANISH.replace("450 €", "450 euros")
RUSSIAN = "В прошлом году Мария Ёлкина платила 450 рублей. Сколько заплатит в этом?\n"


UNICODE = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
SPANISH_ENCODINGS = ("cp1252", "iso-8859-1", "iso-8859-15", "mac-roman", "cp850")
RUSSIAN_ENCODINGS = ("cp1251", "koi8-r", "cp866", "iso-8859-5", "mac-cyrillic")


@pytest.mark.parametrize("encoding", [*UNICODE, *SPANISH_ENCODINGS])
def test_spanish_is_read_in_every_encoding(encoding: str) -> None:
    text = SPANISH if encoding not in ("iso-8859-1", "mac-roman", "cp850") else LATIN_1
    assert decoded(text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", [*UNICODE, *RUSSIAN_ENCODINGS])
def test_russian_is_read_in_every_encoding(encoding: str) -> None:
    assert decoded(RUSSIAN.encode(encoding)) == RUSSIAN


LEAST = {"mac-cyrillic": {40: 0.9, 80: 0.96}, "cp1251": {40: 0.98, 80: 0.98}}
"""The share read right of texts of so many characters; 0.995 in every other case.

Windows and Mac Cyrillic differ in capitals alone, and a short text may have just one.
"""


@pytest.mark.parametrize(
    ("language", "encoding"),
    [("es", one) for one in (*UNICODE, *SPANISH_ENCODINGS)]
    + [("ru", one) for one in (*UNICODE, *RUSSIAN_ENCODINGS)],
)
@pytest.mark.parametrize("length", [40, 80, 400, 2000])
def test_encodings_are_told_apart_on_real_texts(
    test_data: Path, language: str, encoding: str, length: int
) -> None:
    articles = json.loads((test_data / f"retrieval/xquad-dev.{language}.json").read_text())["data"]
    whole = "\n".join(p["context"] for article in articles for p in article["paragraphs"])
    whole = whole.encode(encoding, "ignore").decode(encoding)
    starts = range(0, len(whole) - length, max(length, len(whole) // 120))
    texts = [whole[start : start + length] for start in starts]
    wrong = [text for text in texts if decoded(text.encode(encoding)) != text]
    most = max(1, (1 - LEAST.get(encoding, {}).get(length, 0.995)) * len(texts))
    assert len(wrong) <= most, wrong[:3]


OTHERS = {
    "cp1250": "Zażółć gęślą jaźń. W zeszłym roku płaciliśmy czynsz co miesiąc, kaucję zwrócono.",
    "cp1253": "Το ενοίκιο πληρώνεται κάθε μήνα και η εγγύηση επιστρέφεται στο τέλος.",
    "gb18030": "房租每月支付，押金在合同结束时退还。今天天气很好，我们去公园散步吧。",
    "shift_jis": "家賃は毎月支払われ、敷金は契約終了時に返還されます。今日はいい天気です。",
    "koi8-u": "Орендна плата сплачується щомісяця, а застава повертається. Її їжа є.",
}


@pytest.mark.parametrize("encoding", OTHERS)
def test_languages_lumbre_does_not_speak_are_read_too(encoding: str) -> None:
    assert decoded(OTHERS[encoding].encode(encoding)) == OTHERS[encoding]


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
    assert not is_binary(RUSSIAN.encode("utf-16-be"))
    assert is_binary(array("h", [0, 1, -3, 200, 2, 1, 0, 900] * 40).tobytes())


@given(st.text())
def test_a_tidied_text_is_composed_and_has_nothing_invisible_to_break_offsets(text: str) -> None:
    clean = tidy(text)
    assert clean == unicodedata.normalize("NFC", clean)
    assert "\r" not in clean
    kept = {"\n", "\t"}
    assert not [c for c in clean if unicodedata.category(c) in ("Cc", "Cs") and c not in kept]
    assert tidy(clean) == clean


def test_nothing_stays_that_a_model_reads_and_a_person_does_not_see() -> None:
    hidden = "".join(chr(0xE0000 + ord(letter)) for letter in "obey")
    assert tidy(f"ren\xadta\u200b{hidden} \u202efianza\u2066") == "renta fianza"
    assert tidy("pala\xad\nbra") == "pala-\nbra"


def test_every_kind_of_line_end_becomes_one() -> None:
    assert tidy("a\r\nb\rc\x0cd\u2028e") == "a\nb\nc\nd\ne"

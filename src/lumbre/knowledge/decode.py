"""Which letters the bytes of a text file stand for.

Most files are UTF-8. Older ones on a Spanish or Russian desktop are Windows-1252 or
Windows-1251, and nothing in them says so: in Russian, letters above ASCII stand next to
each other; in Spanish, they stand alone between ASCII letters.
"""

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_BYTES = 65_536
_CONTROLS = bytes(sorted(set(range(32)) - set(b"\t\n\r\f\x1a\x1b")))
_HIGH_LETTER = rb"[\xa8\xb8\xc0-\xff]"
_IN_RUNS = re.compile(_HIGH_LETTER + rb"{2,}")
_BAD_SHARE = 0.02
"""Of letters above ASCII that may be broken in a text still taken for UTF-8."""


def is_binary(data: bytes) -> bool:
    """Whether these bytes are no text: NUL bytes, or control characters all over."""
    if data.startswith(tuple(mark for mark, _ in _MARKS)):
        return False
    sample = data[:_SAMPLE_BYTES]
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    return b"\0" in sample or controls > len(sample) / 50


def decoded(data: bytes) -> str:
    """The text; what cannot be decoded becomes U+FFFD."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("utf-8", errors="replace")
    above_ascii = sum(character > "\x7f" for character in text)
    if text.count("\ufffd") <= above_ascii * _BAD_SHARE:
        return text
    return data.decode(_single_byte_encoding(data), errors="replace")


def _single_byte_encoding(data: bytes) -> str:
    high = len(re.findall(_HIGH_LETTER, data))
    in_runs = sum(len(run) for run in _IN_RUNS.findall(data))
    return "cp1251" if in_runs > high / 2 else "cp1252"

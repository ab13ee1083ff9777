"""Which letters the bytes of a text file stand for.

Most files are UTF-8. Some begin with a mark of their encoding; UTF-16 without one shows by
its every other byte, which is the same few in Spanish, Russian and English.
"""

import codecs

from lumbre.knowledge.codepage import codepage

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_BYTES = 65_536
_CONTROLS = bytes(sorted(set(range(32)) - set(b"\t\n\r\f\x1a\x1b")))
_BAD_SHARE = 0.02
"""Of letters above ASCII that may be broken in a text still taken for UTF-8."""
_LATIN, _CYRILLIC = 0x00, 0x04
"""The upper halves of these letters in UTF-16."""
_LETTERS_SHARE = 0.85


def is_binary(data: bytes) -> bool:
    """Whether these bytes are no text: NUL bytes, or control characters all over."""
    if is_marked(data) or _unmarked(data):
        return False
    sample = data[:_SAMPLE_BYTES]
    return b"\0" in sample or _controls(sample) > len(sample) / 50


def is_marked(data: bytes) -> bool:
    """Whether these bytes begin with the mark of a Unicode encoding."""
    return data.startswith(tuple(mark for mark, _ in _MARKS))


def decoded(data: bytes) -> str:
    """The text; what cannot be decoded becomes U+FFFD."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    if encoding := _unmarked(data):
        return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("utf-8", errors="replace")
    above_ascii = sum(character > "\x7f" for character in text)
    if text.count("\ufffd") <= above_ascii * _BAD_SHARE:
        return text
    return data.decode(codepage(data), errors="replace")


def _unmarked(data: bytes) -> str:
    """Which UTF-16 these bytes are that begin with no mark; empty when they are not."""
    sample = data[:_SAMPLE_BYTES]
    if len(data) < 4 or b"\0" not in sample:
        return ""
    even, odd = sample[0 : len(sample) // 2 * 2 : 2], sample[1::2]
    for encoding, high, low in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if high.count(_LATIN) + high.count(_CYRILLIC) < len(high) * _LETTERS_SHARE:
            continue
        pairs = zip(high, low, strict=True)
        plain = bytes(lower for upper, lower in pairs if upper == _LATIN)
        if b"\0" not in plain and _controls(plain) <= len(plain) / 50:
            return encoding
    return ""


def _controls(sample: bytes) -> int:
    return len(sample) - len(sample.translate(None, _CONTROLS))

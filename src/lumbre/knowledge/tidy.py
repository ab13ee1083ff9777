"""One way to write a text: composed letters, "\\n" line ends, nothing invisible in it.

Offsets into a stored text are offsets into what `tidy` gives, so it runs once, when a
file is read, and never again.
"""

import re
import unicodedata

_LINE_END = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_SOFT_HYPHEN_AT_LINE_END = "\xad\n"
_DROPPED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff"
    "\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\U000e0000-\U000e007f]"
)
"""Control characters but tab and line feed, lone surrogates, marks of byte order; what has
no width, breaks words for a search and can hide a text from a person but not from a model:
soft hyphens, zero-width spaces, marks of direction, and tags.
"""


def tidy(text: str) -> str:
    """The text in Unicode NFC with "\\n" line ends and without control characters."""
    lines = _LINE_END.sub("\n", text).replace(_SOFT_HYPHEN_AT_LINE_END, "-\n")
    return unicodedata.normalize("NFC", _DROPPED.sub("", lines))

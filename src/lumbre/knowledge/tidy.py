"""One way to write a text: composed letters, "\\n" line ends, nothing invisible in it.

Offsets into a stored text are offsets into what `tidy` gives, so it runs once, when a
file is read, and never again.
"""

import re
import unicodedata

_LINE_END = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_DROPPED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
"""Control characters but tab and line feed, lone surrogates, marks of byte order."""


def tidy(text: str) -> str:
    """The text in Unicode NFC with "\\n" line ends and without control characters."""
    return unicodedata.normalize("NFC", _DROPPED.sub("", _LINE_END.sub("\n", text)))

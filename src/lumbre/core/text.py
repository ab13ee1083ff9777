"""Tell text that can be written down from bytes in disguise.

Linux takes any bytes for a file's name and for a word of a command line. Python carries
those that are no UTF-8 as lone surrogates, which neither SQLite nor an engine can hold.
"""


def is_text(text: str) -> bool:
    """Whether it can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def escaped(text: str) -> str:
    r"""The text, with what cannot be written as UTF-8 as escapes (`\udcff`)."""
    return text.encode(errors="backslashreplace").decode()

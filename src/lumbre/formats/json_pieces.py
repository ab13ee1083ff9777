"""Reads a large JSON object key by key, so that no more is made of it than is kept."""

import json
import re
from collections.abc import Iterator
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")
"""Source: RFC 8259, 2."""


class Malformed(Exception):
    """Not JSON, or not the JSON that was expected, from this character on."""

    def __init__(self, place: int) -> None:
        super().__init__(place)
        self.place = place


class Pieces:
    """A place in a text that goes forward."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def object_keys(self) -> Iterator[str]:
        """The keys of the object that begins here; after each, its value has to be taken."""
        self._expect("{")
        if self._next() == "}":
            self._at += 1
            return
        while True:
            self._next()
            key = self.text()
            self._expect(":")
            yield key
            if self._next() != ",":
                break
            self._at += 1
        self._expect("}")

    def text(self) -> str:
        """A string."""
        if self._next() != '"':
            raise Malformed(self._at)
        try:
            text, self._at = _DECODER.raw_decode(self._text, self._at)
            text.encode()  # half a surrogate pair is no text
        except ValueError as error:
            raise Malformed(self._at) from error
        return str(text)

    def value(self, most_characters: int) -> Any:
        """Any value that is no longer than that."""
        self._next()
        piece = self._text[self._at : self._at + most_characters + 1]
        try:
            value, length = _DECODER.raw_decode(piece)
        except (ValueError, RecursionError) as error:
            raise Malformed(self._at) from error
        if length > most_characters:  # a number that is cut is a number
            raise Malformed(self._at)
        self._at += length
        return value

    def is_null(self) -> bool:
        """Whether null stands here; it is stepped over."""
        self._next()
        found = self._text.startswith("null", self._at)
        self._at += 4 * found
        return found

    def end(self) -> None:
        """Nothing but space is left."""
        if self._next():
            raise Malformed(self._at)

    def _next(self) -> str:
        match = _SPACE.match(self._text, self._at)
        assert match is not None  # it matches nothing, too
        self._at = match.end()
        return self._text[self._at : self._at + 1]

    def _expect(self, character: str) -> None:
        if self._next() != character:
            raise Malformed(self._at)
        self._at += 1


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)


def whole(text: str) -> Any:
    """A short text as JSON, with each key once.

    Raises:
        Malformed: it is not.
    """
    pieces = Pieces(text)
    value = pieces.value(len(text))
    pieces.end()
    return value

"""Takes the pieces a GGUF header is made of, and never more than is there.

Every length is held against what is left of the file and against a limit before it is
used; long arrays are stepped over and not kept.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from lumbre.core.errors import BadWeights
from lumbre.formats.ranged import Forward, Ranged
from lumbre.words import Sentence

_MOST_HEADER_BYTES = 256 << 20
_MOST_KEPT_BYTES = 16 << 20
"""Of all text that is kept: keys, names, templates. The longest templates have 100 kB."""
_MOST_STRINGS = 2 << 20
"""In all arrays together, for stepping over them takes time. The largest vocabularies have
262,144 tokens and twice as many merges."""
_KEPT_NUMBERS = 1024
"""The longest array of numbers that is kept; values by layer are far below."""
_KEPT_STRINGS = 64
_SHOWN = 60
"""Characters of a name or value that a message repeats."""

_NUMBERS = {
    0: ("uint8", "B"), 1: ("int8", "b"), 2: ("uint16", "H"), 3: ("int16", "h"),
    4: ("uint32", "I"), 5: ("int32", "i"), 6: ("float32", "f"), 7: ("bool", "?"),
    10: ("uint64", "Q"), 11: ("int64", "q"), 12: ("float64", "d"),
}  # fmt: skip
_STRING, _ARRAY = 8, 9
_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Array:
    """A list in the metadata. Of a long one only its length is known."""

    kind: str
    count: int
    items: tuple[object, ...] | None
    """None where the array was too long to keep."""


Value: TypeAlias = str | int | float | bool | Array


def bad_weights(path: Path | str, name: str, **facts: object) -> BadWeights:
    """The error for a reason of words/gguf.toml, or of another part that `name` begins with.

    What the file said is made safe to show.
    """
    safe = {
        fact: _safe(value) if isinstance(value, str) else value for fact, value in facts.items()
    }
    return BadWeights(path=path, reason=Sentence(name if "." in name else f"gguf.{name}", **safe))


class Reader:
    """Reads forward through one header. `what` names the piece, for the person."""

    def __init__(self, file: Ranged, path: Path | str) -> None:
        self.file_bytes = file.size_bytes
        self._file = Forward(file, _MOST_HEADER_BYTES)
        self._path = path
        self._readable_bytes = min(self.file_bytes, _MOST_HEADER_BYTES)
        self._left_bytes = self._readable_bytes
        self._kept_bytes = 0
        self._strings = 0

    @property
    def position_bytes(self) -> int:
        return self._readable_bytes - self._left_bytes

    def bad(self, name: str, **facts: object) -> BadWeights:
        """The error to raise, for a reason of words/gguf.toml."""
        return bad_weights(self._path, name, **facts)

    def take(self, count_bytes: int, what: str) -> bytes:
        self._spend(count_bytes, what)
        return self._exactly(count_bytes, what)

    def whole(self, code: str, what: str) -> int:
        """An integer, by its letter in `struct`."""
        value: int = struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}"), what))[0]
        return value

    def text(self, what: str, most_bytes: int = _MOST_KEPT_BYTES) -> str:
        length_bytes = self.whole("Q", what)
        if length_bytes > self._left_bytes:
            raise self._short(length_bytes, what)
        self._kept_bytes += length_bytes
        if length_bytes > most_bytes or self._kept_bytes > _MOST_KEPT_BYTES:
            raise self.bad("too_large", what=what, count=length_bytes)
        try:
            return self.take(length_bytes, what).decode()
        except UnicodeDecodeError as error:
            raise self.bad("not_text", what=what) from error

    def value(self, what: str) -> Value:
        """A value of the metadata, behind the number of its kind."""
        kind = self.whole("I", what)
        if kind == _STRING:
            return self.text(what)
        if kind == _ARRAY:
            return self._array(what)
        if kind not in _NUMBERS:
            raise self.bad("unknown_kind", what=what, kind=kind)
        code = f"<{_NUMBERS[kind][1]}"
        value: Value = struct.unpack(code, self.take(struct.calcsize(code), what))[0]
        return value

    def _array(self, what: str) -> Array:
        kind, count = self.whole("I", what), self.whole("Q", what)
        if kind == _STRING:
            return self._strings_of(count, what)
        if kind not in _NUMBERS:  # an array of arrays too: no engine reads one
            raise self.bad("unknown_kind", what=what, kind=kind)
        name, code = _NUMBERS[kind]
        count_bytes = count * struct.calcsize(f"<{code}")
        if count > _KEPT_NUMBERS:
            self._spend(count_bytes, what)
            self._file.skip(count_bytes)
            return Array(name, count, None)
        return Array(name, count, struct.unpack(f"<{count}{code}", self.take(count_bytes, what)))

    def _strings_of(self, count: int, what: str) -> Array:
        if count * _LENGTH.size > self._left_bytes:
            raise self._short(count * _LENGTH.size, what)
        self._strings += count
        if self._strings > _MOST_STRINGS:
            raise self.bad("too_large", what=what, count=count)
        if count <= _KEPT_STRINGS:
            return Array("string", count, tuple(self.text(what) for _ in range(count)))
        self._step_over_strings(count, what)
        return Array("string", count, None)

    def _step_over_strings(self, count: int, what: str) -> None:
        """As many as a vocabulary has: hundreds of thousands."""
        while count:
            ahead = self._file.ahead(_LENGTH.size)
            position = 0
            last = len(ahead) - _LENGTH.size
            if last < 0:
                raise self._short(_LENGTH.size, what)
            while count and position <= last:
                position += _LENGTH.size + _LENGTH.unpack_from(ahead, position)[0]
                count -= 1
            self._spend(position, what)
            self._file.skip(position)

    def _spend(self, count_bytes: int, what: str) -> None:
        if count_bytes > self._left_bytes:
            raise self._short(count_bytes, what)
        self._left_bytes -= count_bytes

    def _exactly(self, count_bytes: int, what: str) -> bytes:
        data = self._file.read(count_bytes)
        if len(data) < count_bytes:  # somebody is cutting the file while it is read
            raise self.bad("ends_early", what=what)
        return data

    def _short(self, count_bytes: int, what: str) -> BadWeights:
        if self.file_bytes > _MOST_HEADER_BYTES:
            return self.bad("too_large", what=what, count=count_bytes)
        return self.bad("ends_early", what=what)


def _safe(text: str) -> str:
    """Short, and without what would move a terminal's cursor."""
    shown = "".join(char if char.isprintable() else "\ufffd" for char in text[:_SHOWN])
    return shown if len(text) <= _SHOWN else f"{shown}…"

"""Open the zip archive that a Word file is, and no more of it than is asked for.

Of its XML nothing is resolved: a part that declares entities is refused, names of other
files in it are never opened.
"""

import io
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from xml.parsers import expat

from lumbre.core.errors import DocumentUnreadable

_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How a compound file begins. Source: [MS-CFB] 2.2."""
_LOCKED = "EncryptedPackage".encode("utf-16-le")
"""The stream of a locked Office file. Source: [MS-OFFCRYPTO] 2.3.4.4."""
_CHUNK_BYTES = 65_536
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGES = (zipfile.BadZipFile, zlib.error, expat.ExpatError, EOFError, struct.error, OSError)


class Event(NamedTuple):
    """A tag that opens, one that closes, or text; `name` as Word writes it, "w:p"."""

    kind: str
    name: str = ""
    values: Mapping[str, str] = {}
    """Attributes by name without prefix."""
    text: str = ""


class Container:
    """The parts of one file."""

    def __init__(self, data: bytes, most_bytes: int) -> None:
        """Raises: DocumentUnreadable, when it is locked, damaged or no Word file."""
        self._left_bytes = most_bytes
        if data.startswith(_OLD_OFFICE):
            raise _unreadable("encrypted" if _LOCKED in data else "renamed")
        if not data.startswith(b"PK"):
            raise _unreadable("damaged" if b"PK\x03\x04" in data[:_CHUNK_BYTES] else "renamed")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (*_DAMAGES, ValueError, NotImplementedError) as error:
            raise _unreadable("damaged") from error

    def main(self) -> str:
        """The name of the part that holds the text."""
        for kind, target in self._relations("_rels/.rels"):
            if kind == "officeDocument":
                part = target.lstrip("/")
                break
        else:
            part = "word/document.xml"
        if part not in self._zip.NameToInfo or not part.endswith(".xml"):
            raise _unreadable("renamed")
        return part

    def beside(self, main: str, kind: str) -> list[str]:
        """The parts of a kind that belong to the main one, each once."""
        folder, name = posixpath.split(main)
        parts: list[str] = []
        for found, target in self._relations(f"{folder}/_rels/{name}.rels"):
            path = target.lstrip("/") if target.startswith("/") else f"{folder}/{target}"
            path = posixpath.normpath(path)
            if found == kind and path in self._zip.NameToInfo and path not in parts:
                parts.append(path)
        return parts

    def events(self, part: str) -> Iterator[Event]:
        """The tags and texts of a part in order.

        Raises:
            DocumentUnreadable: also half way.
        """
        return self._events(part, _Stream())

    def opened(self, parts: Iterable[str], names: frozenset[str]) -> Iterator[Event]:
        """Only where tags of these names open: styles are many, and little of them matters.

        Raises:
            DocumentUnreadable: also half way.
        """
        for part in parts:
            yield from self._events(part, _Stream(names))

    def _events(self, part: str, stream: "_Stream") -> Iterator[Event]:
        try:
            for chunk in self._unpacked(part):
                yield from stream.feed(chunk)
            yield from stream.feed(b"", last=True)
        except (*_DAMAGES, ValueError, NotImplementedError, LookupError) as error:
            raise _unreadable("damaged") from error

    def _unpacked(self, part: str) -> Iterator[bytes]:
        info = self._zip.getinfo(part)
        if info.flag_bits & 1:
            raise _unreadable("encrypted")
        if info.compress_type not in _PACKINGS:
            raise _unreadable("damaged")
        with self._zip.open(info) as file:
            while chunk := file.read(_CHUNK_BYTES):
                self._left_bytes -= len(chunk)
                if self._left_bytes < 0:
                    raise _unreadable("swells")
                yield chunk

    def _relations(self, part: str) -> Iterator[tuple[str, str]]:
        """Kind and target of each; what lies outside the file is left out."""
        if part not in self._zip.NameToInfo:
            return
        for event in self.opened([part], frozenset(["Relationship"])):
            values = event.values
            if values.get("TargetMode") != "External":
                yield values.get("Type", "").rpartition("/")[2], values.get("Target", "")


class _Stream:
    """An XML parser that gives what it found when asked."""

    def __init__(self, opened: frozenset[str] = frozenset()) -> None:
        """`opened`: the only tags that are of interest; none named: all, and the text."""
        self._found: list[Event] = []
        self._opened = opened
        self._passed_over: set[str] = set()
        self._names: dict[str, str] = {}
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._open_if_asked if opened else self._open
        self._parser.StartDoctypeDeclHandler = _refuse
        if not opened:
            self._parser.buffer_text = True
            self._parser.EndElementHandler = self._close
            self._parser.CharacterDataHandler = self._text

    def feed(self, chunk: bytes, *, last: bool = False) -> list[Event]:
        self._found = []
        self._parser.Parse(chunk, last)
        return self._found

    def _open_if_asked(self, name: str, values: dict[str, str]) -> None:
        if name not in self._passed_over:
            if _short(name) in self._opened:
                self._open(name, values)
            else:
                self._passed_over.add(name)

    def _open(self, name: str, values: dict[str, str]) -> None:
        short = self._names.get(name) or self._name(name)
        if values:
            values = {key.rpartition(" ")[2]: value for key, value in values.items()}
        self._found.append(Event("open", short, values))

    def _close(self, name: str) -> None:
        self._found.append(Event("close", self._names[name]))

    def _text(self, text: str) -> None:
        self._found.append(Event("text", text=text))

    def _name(self, name: str) -> str:
        short = self._names[name] = _short(name)
        return short


def _short(name: str) -> str:
    """The usual name of a tag, whichever of the two standards' namespaces it is in."""
    space, _, local = name.rpartition(" ")
    if "wordprocessingml" in space:
        return f"w:{local}" if space.endswith("/main") else f"w14:{local}"
    if space.endswith("/math"):
        return f"m:{local}"
    return f"mc:{local}" if "markup-compatibility" in space else local


def _refuse(*_: object) -> None:
    """A document type: no program writes one here, and entities could be declared in it."""
    raise _unreadable("damaged")


def _unreadable(reason: str) -> DocumentUnreadable:
    return DocumentUnreadable(document="", reason=reason)

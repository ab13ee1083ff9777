"""Add files and folders: each ends up searchable or with the reason why not."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lumbre.core.document import Document, Status
from lumbre.core.errors import DocumentUnreadable
from lumbre.knowledge import parsers
from lumbre.knowledge.index import Index, Piece, Prepared, absolute
from lumbre.knowledge.language import language_of
from lumbre.knowledge.reading import Reader, ReadFile, refusal
from lumbre.knowledge.sentences import sentences
from lumbre.knowledge.speaks import Vectorises
from lumbre.knowledge.split import split
from lumbre.knowledge.terms import VERSION
from lumbre.words import Language

_BATCH = 32
"""Texts embedded at a time: often enough to show progress and to be cancelled."""

_MAY_PASS = ("missing", "permission", "slow", "memory", "crashed")
"""Reasons that the file's bytes alone do not explain: tried again, and never in place of
a text that was read before."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A file is next."""

    path: str
    number: int
    of: int


@dataclass(frozen=True, slots=True)
class Embedding:
    """How far the current file is."""

    path: str
    done: int
    of: int


@dataclass(frozen=True, slots=True)
class Added:
    """A file is done: searchable, or listed with its reason. `changed` if it was read anew."""

    document: Document
    changed: bool


Step = Reading | Embedding | Added


@dataclass(frozen=True, slots=True)
class Cut:
    """Sizes of passages, code points. As text, with the version of their terms."""

    size: int = 1000
    overlap: int = 200

    def __str__(self) -> str:
        return f"{self.size}/{self.overlap}/{VERSION}"


class Ingest:
    """Adds files to one index."""

    def __init__(
        self,
        index: Index,
        vectors: Vectorises,
        reader: Reader,
        *,
        cut: Cut,
        fallback: Language,
    ) -> None:
        self._index = index
        self._vectors = vectors
        self._reader = reader
        self._cut = cut
        self._fallback = fallback

    async def add(self, paths: Sequence[str | Path]) -> AsyncIterator[Step]:
        """Read what is new or changed among these files and folders, one transaction a file.

        A file that cannot be read is told of and never stops the others. Cancelled, the
        files done so far stay.
        """
        for stale in self._index.stale(self._vectors.embedding_version):
            async for step in self._embed_again(stale):
                yield step
        files = [file for path in paths for file in found_at(Path(absolute(path)))]
        for number, path in enumerate(files, start=1):
            yield Reading(str(path), number, len(files))
            async for step in self._add_file(path):
                yield step

    async def _add_file(self, path: Path) -> AsyncIterator[Step]:
        reason = refusal(path, self._reader.limits.file_bytes)
        if not reason and parsers.module_for(path) is None:
            reason = "kind"
        if reason:
            yield self._refused(path, reason, sha256="")
            return
        known = self._index.known(str(path))
        if known and known.cut == str(self._cut) and known.sha256 == await sha256_of(path):
            if document := self._index.document(str(path)):
                yield Added(document, changed=False)
            return
        try:
            read = await self._reader.read(path)
        except DocumentUnreadable as error:
            yield self._refused(
                path, str(error.facts["reason"]), str(error.facts.get("sha256", ""))
            )
            return
        async for step in self._embed(str(path), read):
            yield step

    async def _embed_again(self, path: str) -> AsyncIterator[Step]:
        """New vectors from the stored text; the file itself is not opened."""
        stored, known = self._index.stored(path), self._index.known(path)
        if stored and known:
            async for step in self._embed(path, ReadFile(stored.parsed, known.sha256)):
                yield step

    async def _embed(self, path: str, read: ReadFile) -> AsyncIterator[Step]:
        text = read.parsed.text
        language = language_of(text, self._fallback)
        passages = [
            span
            for span in split(text, self._cut.size, self._cut.overlap)
            if text[span.start : span.end].strip()
        ]
        said = sentences(text)
        spans = [*passages, *said]
        pieces: list[Piece] = []
        version = self._vectors.embedding_version
        for start in range(0, len(spans), _BATCH):
            yield Embedding(path, start, len(spans))
            batch = spans[start : start + _BATCH]
            vectors = await self._vectors.embed([text[span.start : span.end] for span in batch])
            pieces += [Piece(span, vector) for span, vector in zip(batch, vectors, strict=True)]
        prepared = Prepared(
            path=path,
            sha256=read.sha256,
            parsed=read.parsed,
            cut=str(self._cut),
            embedding=version,
            passages=tuple(
                (piece, language_of(text[piece.span.start : piece.span.end], language))
                for piece in pieces[: len(passages)]
            ),
            sentences=tuple(pieces[len(passages) :]),
        )
        await asyncio.to_thread(self._index.put, prepared)
        if document := self._index.document(path):
            yield Added(document, changed=True)

    def _refused(self, path: Path, reason: str, sha256: str) -> Added:
        if sha256 and reason not in _MAY_PASS:
            self._index.put_unreadable(str(path), sha256, str(self._cut), reason)
        status: Status = "skipped" if reason == "kind" else "failed"
        return Added(Document(str(path), status, reason, 0, 0, sha256), changed=True)


def found_at(path: Path) -> Iterator[Path]:
    """The file itself, or every file under a folder, by name; hidden ones are left out."""
    if not path.is_dir():
        yield path
        return
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(folder) / name


async def sha256_of(path: Path) -> str:
    """The hash of a file, empty when it cannot be read."""

    def hashed() -> str:
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return ""

    return await asyncio.to_thread(hashed)

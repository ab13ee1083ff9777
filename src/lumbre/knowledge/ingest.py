"""Add files and folders: each ends up searchable or with the reason why not.

While one file is embedded the next one is read, and what is done is stored in groups: the
disk is waited for once a group, each file in it is kept whole or not at all, and none is
called done before it is.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from lumbre.core.document import Document, status_of
from lumbre.core.errors import DocumentUnreadable
from lumbre.core.text import escaped
from lumbre.knowledge import parsers
from lumbre.knowledge.index import Index, Prepared, absolute
from lumbre.knowledge.keeping import Keeping, Refused
from lumbre.knowledge.places import Found, Places, found_at
from lumbre.knowledge.prepare import prepare
from lumbre.knowledge.reading import Reader, ReadFile, refusal
from lumbre.knowledge.speaks import Vectorises
from lumbre.words import Language

_READING = 2
"""Raised when files of some kind give more or other text than before: each is read again when
it is added again, also one that gave none."""

_MAY_PASS = ("missing", "name", "permission", "disk", "slow", "memory", "crashed")
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


@dataclass(frozen=True, slots=True)
class Removed:
    """A document was forgotten: its file has been deleted."""

    document: Document


Step = Reading | Embedding | Added | Removed


@dataclass(frozen=True, slots=True)
class Cut:
    """Sizes of passages, code points. As text, with the version of reading."""

    size: int = 1000
    overlap: int = 200

    def __str__(self) -> str:
        return f"{self.size}/{self.overlap}/{_READING}"


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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._index = index
        self._places = Places(index.store)
        self._vectors = vectors
        self._reader = reader
        self._cut = cut
        self._fallback = fallback
        self._keeping = Keeping(index, self._places, clock)

    async def add(self, paths: Sequence[str | Path]) -> AsyncGenerator[Step]:
        """Read what is new or changed among these files and folders, forget what was deleted.

        A file that cannot be read is told of and never stops the others. Cancelled, the
        files done so far stay.
        """
        try:
            async with aclosing(self._steps(paths)) as steps:
                async for step in steps:
                    yield step
                    for added in self._told():
                        yield added
            await self._keeping.finish()
            for added in self._told():
                yield added
        finally:
            await self._keeping.finish()

    async def _steps(self, paths: Sequence[str | Path]) -> AsyncGenerator[Step]:
        for stale in self._index.stale(self._vectors.embedding_version):
            async for step in self._embed_again(stale):
                yield step
        found = await asyncio.to_thread(found_at, [Path(absolute(path)) for path in paths])
        for step in await asyncio.to_thread(self._forget, found):
            yield step
        for folder in found.closed:
            yield Added(_unread(str(folder), "permission"), changed=True)
        ahead: asyncio.Task[_Looked] | None = None
        try:
            for number, path in enumerate(found.files, start=1):
                yield Reading(escaped(str(path)), number, len(found.files))
                looked = await (ahead or self._look(path))
                ahead = None
                if number < len(found.files):
                    ahead = asyncio.create_task(self._look(found.files[number]))
                async for step in self._take(path, looked):
                    yield step
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)

    def _forget(self, found: Found) -> list[Step]:
        """Drop the documents under these folders whose files were deleted."""
        if not found.folders:
            return []
        documents = self._index.documents([escaped(str(folder)) for folder in found.folders])
        deleted, away = self._places.compare(documents, found)
        self._index.remove(deleted)
        gone = set(deleted)
        removed: list[Step] = [Removed(one) for one in documents if one.path in gone]
        folders = dict.fromkeys(str(Path(path).parent) for path in away)
        return removed + [Added(_unread(folder, "away"), changed=False) for folder in folders]

    async def _look(self, path: Path) -> "_Looked":
        """The text of a file that is new or changed; the document, if it is as it was."""
        reason = refusal(path, self._reader.limits.file_bytes)
        if not reason and parsers.module_for(path) is None:
            reason = "kind"
        if reason:
            return Refused(escaped(str(path)), "", str(self._cut), reason)
        known = self._index.known(str(path))
        if (
            known
            and known.cut == str(self._cut)
            and known.reason not in _MAY_PASS
            and known.sha256
            and known.sha256 == await sha256_of(path)
            and (document := self._index.document(str(path)))
        ):
            return document
        try:
            return await self._reader.read(path)
        except DocumentUnreadable as error:
            sha256 = str(error.facts.get("sha256", ""))
            return Refused(str(path), sha256, str(self._cut), str(error.facts["reason"]))

    async def _take(self, path: Path, looked: "_Looked") -> AsyncGenerator[Step]:
        match looked:
            case Document():
                self._keeping.tell(looked, changed=False)
            case Refused():
                self._refuse(looked)
            case ReadFile():
                async for step in self._embed(str(path), looked):
                    yield step
        await self._keeping.pace()

    def _refuse(self, refused: Refused) -> None:
        """List a file that gives no text, unless that may pass and there is a text of it."""
        known = self._index.known(refused.path)
        reason = refused.reason
        told = _unread(refused.path, reason, refused.sha256)
        was_read = known is not None and not known.reason
        kept = known and (known.reason, known.sha256, known.cut)
        same = kept == (reason, refused.sha256, refused.cut)
        if reason == "missing" or same or (was_read and reason in _MAY_PASS):
            self._keeping.tell(told, changed=not same)
        else:
            self._keeping.put(refused, told)

    async def _embed_again(self, path: str) -> AsyncGenerator[Step]:
        """New vectors from the stored text; the file itself is not opened."""
        stored, known = self._index.stored(path), self._index.known(path)
        if stored and known:
            async for step in self._embed(path, ReadFile(stored.parsed, known.sha256)):
                yield step
            await self._keeping.pace()

    async def _embed(self, path: str, read: ReadFile) -> AsyncGenerator[Step]:
        making = prepare(
            path,
            read,
            self._vectors,
            size=self._cut.size,
            overlap=self._cut.overlap,
            cut=str(self._cut),
            fallback=self._fallback,
            likes=self._index.likes,
        )
        async with aclosing(making) as made:
            async for some in made:
                if not isinstance(some, Prepared):
                    await self._keeping.pace()
                    yield Embedding(path, *some)
                    continue
                counts = len(read.parsed.pages), len(some.passages)
                self._keeping.put(some, Document(path, "indexed", "", *counts, read.sha256))

    def _told(self) -> list[Added]:
        return [Added(document, changed) for document, changed in self._keeping.kept()]


_Looked = Document | Refused | ReadFile


def _unread(path: str, reason: str, sha256: str = "") -> Document:
    return Document(escaped(path), status_of(reason), reason, 0, 0, sha256)


async def sha256_of(path: Path) -> str:
    """The hash of a file, empty when it cannot be read."""

    def hashed() -> str:
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return ""

    return await asyncio.to_thread(hashed)

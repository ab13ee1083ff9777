"""Measure the most memory that the household, its workers and who asked hold together."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress

from lumbre.hardware.usage import pss_bytes

_SAMPLE_S = 0.1
"""Reading the share of a 2 GB process takes the kernel 5 ms: this costs 5 % of a core."""


class Peak:
    """The largest sum seen so far."""

    bytes: int = 0


@asynccontextmanager
async def measured(family: Callable[[], Iterable[int]]) -> AsyncIterator[Peak]:
    """Sample the proportional share of these processes while the block runs, and at its end.

    `family`: the ids of the processes there are now.
    """
    peak = Peak()

    def sample() -> None:
        peak.bytes = max(peak.bytes, sum(pss_bytes(pid) for pid in set(family())))

    async def watch() -> None:
        while True:
            await asyncio.gather(asyncio.to_thread(sample), asyncio.sleep(_SAMPLE_S))

    watching = asyncio.create_task(watch())
    try:
        yield peak
        await asyncio.to_thread(sample)
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching

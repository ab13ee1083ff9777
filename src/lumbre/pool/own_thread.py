"""Do one thing after the other in a thread of its own, where no other work makes it wait.

Python's common threads are few, and whoever checks large files or asks an engine what it
needs holds one for as long as that takes.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class OwnThread:
    """Made at the first use, on whatever loop that is; gone after `close`, or with this."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._threads: ThreadPoolExecutor | None = None

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns or raises. Cancelled before it has begun, it never begins."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1, self._name)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: work(*args, **kwargs))

    def close(self) -> None:
        """End the thread once all it was asked for is done; waits for nothing."""
        if self._threads is not None:
            self._threads.shutdown(wait=False)
            self._threads = None

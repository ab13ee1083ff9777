"""One model's process, from its start to the moment it is seen gone."""

import asyncio
import time
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lumbre import backends
from lumbre.core.backend import Engine
from lumbre.core.errors import LumbreError, WorkerFailed
from lumbre.core.model import Manifest
from lumbre.pool.lease import Prepared
from lumbre.pool.worker import Worker, new_key

_END_S = 5.0
"""Between a broken connection and the end of the process behind it."""
_PROOF_S = 10.0
"""How long a worker that broke off an answer may take for one token."""


@dataclass(slots=True)
class Running:
    """A worker, and what it was started as; whoever asks next may prepare it otherwise."""

    prepared: Prepared
    log_path: Path
    pid: int | None = None
    """As soon as there is a process."""
    worker: Worker | None = None
    engine: Engine | None = None
    task: asyncio.Task[None] | None = None
    failure: LumbreError | None = None
    ready: float | None = None
    """Since when, on the monotonic clock; None: not yet."""
    is_ending: bool = False
    """Its connection is given back: nobody asks it anything any more."""
    stood_still: bool = False
    is_doubted: bool = False
    """It broke off an answer, and has to show that it still gives a token."""

    @property
    def manifest(self) -> Manifest:
        return self.prepared.manifest

    @property
    def model(self) -> str:
        return self.manifest.id

    @property
    def ready_s(self) -> float:
        """For how long it has been ready."""
        return 0.0 if self.ready is None else time.monotonic() - self.ready

    async def begin(self, timeout_s: float) -> float:
        """Start the process and wait for its first token: the seconds this took.

        Raises:
            WorkerFailed: it ended first, or gave none in time.
        """
        begun = time.monotonic()
        prepared = self.prepared
        backend = backends.find(prepared.engine or prepared.manifest.engine)
        key = new_key()
        launch = backend.launch(prepared.manifest, prepared.files, prepared.settings, key)
        try:
            async with asyncio.timeout(timeout_s):
                self.worker = await Worker.start(launch, self.model, self.log_path, self._spawned)
                self.engine = backend.connect(prepared.manifest, self.worker.url, key)
                await self.engine.ready()
        except TimeoutError as error:
            raise self.failed(f"no first token within {timeout_s:.0f} s") from error
        self.ready = time.monotonic()
        return self.ready - begun

    def _spawned(self, pid: int) -> None:
        self.pid = pid

    def stands_still(self, reason: str) -> None:
        """Keep why it will be ended; one that was still starting is given up at once."""
        self.failure = self.failed(reason)
        self.stood_still = True
        if self.ready is None and self.task is not None:
            self.task.cancel()

    async def is_well(self) -> bool:
        """Whether it still answers; one that failed its last request must show it.

        One that does not is killed: alive is who produces a token. It is not while others are
        served by it meanwhile: then it may be their work that takes so long.
        """
        if self.worker is None or self.engine is None or self.worker.has_ended():
            return False
        if self.is_doubted:
            before = self.engine.progress
            try:
                async with asyncio.timeout(_PROOF_S):
                    await self.engine.ready()
            except (LumbreError, TimeoutError):
                if self.engine.progress > before:
                    return True
                await self.worker.kill()
                return False
            self.is_doubted = False
        return True

    async def why(self, broken: WorkerFailed) -> WorkerFailed:
        """What a broken connection was: the process's own end, if it has ended.

        A connection breaks a moment before the process behind it is gone.
        """
        if isinstance(self.failure, WorkerFailed):
            return self.failure
        if self.worker is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_END_S):
                    await self.worker.gone()
                    return self.worker.failure()
        return self.failed(str(broken.facts["reason"]))

    def failed(self, reason: str) -> WorkerFailed:
        """With the place of its log."""
        return WorkerFailed(model=self.model, reason=reason, log=str(self.log_path))

    async def kill(self) -> None:
        """End the process by force, for it would not hear of anything gentler."""
        if self.worker is not None:
            await self.worker.kill()

    async def end(self) -> None:
        """Give the connection back and see the process gone."""
        self.is_ending = True
        if self.engine is not None:
            with suppress(LumbreError):
                await self.engine.close()
        if self.worker is not None:
            await self.worker.stop()

    async def stop(self, first: Awaitable[None] | None = None) -> None:
        """End the process, after what is to be done first however that goes; the task that
        watches it then sees it gone."""
        try:
            if first is not None:
                await first
        finally:
            await self._stop()

    async def _stop(self) -> None:
        if self.worker is not None and self.engine is not None:
            await self.end()  # also where it ended by itself, and `first` asked it in vain
        elif self.task is not None:
            self.task.cancel()

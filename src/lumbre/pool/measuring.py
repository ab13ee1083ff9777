"""Tell whoever plans what workers were seen to hold."""

import asyncio
import logging
from collections.abc import Callable, Iterable

from lumbre.core.errors import LumbreError
from lumbre.pool.lease import Measured, Prepared
from lumbre.pool.running import Running

_log = logging.getLogger(__name__)


async def tell(
    measured: Callable[[Prepared, Measured], None], workers: Iterable[Running], *, is_full: bool
) -> None:
    """What cannot be learned from is written down: no reason to end a worker, or an answer."""
    for running in workers:
        if running.worker is None:
            continue
        files = set(running.prepared.files.values())
        held_bytes = await asyncio.to_thread(running.worker.beside_bytes, files)
        if not held_bytes:
            continue
        seen = Measured(running.worker.pid, held_bytes, is_full)
        try:
            await asyncio.to_thread(measured, running.prepared, seen)
        except LumbreError as error:
            _log.warning("%s was not learned from: %s", running.model, error)

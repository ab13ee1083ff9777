"""Look after the workers and the memory all the time, and say what was seen.

Decides nothing: `lumbre.pool.health` judges the workers, whoever is told decides what follows.
A fault in a look is written to the log and the next look comes all the same.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from lumbre.core.backend import Engine
from lumbre.core.errors import EngineRefused, LumbreError
from lumbre.hardware.usage import Pulse, pulse
from lumbre.pool.health import (
    LIGHT_S,
    LOOK_S,
    Answer,
    Ask,
    Look,
    StandsStill,
    Track,
    judge,
)
from lumbre.pool.own_thread import OwnThread
from lumbre.pool.running import Running

_log = logging.getLogger(__name__)

MEMORY_S = 0.5
"""Between two looks at memory: what another program takes is given back within 2 s."""


@dataclass(slots=True)
class _Case:
    """One worker under watch."""

    track: Track | None = None
    signs: int = 0
    """Looks at which it was still starting and not stopped."""
    questions: int = 0
    answer: Answer | None = None
    asking: asyncio.Task[None] | None = None
    is_told: bool = False


class Watch:
    """Made by the pool, begun on its loop; all that is reported is reported there."""

    def __init__(
        self,
        workers: Mapping[int, Running],
        stalled: Callable[[int, str], None],
        memory: Callable[[], Awaitable[None]],
        *,
        now: Callable[[], float] = time.monotonic,
        look_s: float = LOOK_S,
        memory_s: float = MEMORY_S,
    ) -> None:
        """`workers` are those to look after, by number; `stalled` hears once of each that
        stands still, and why; `memory` looks at memory itself.

        Of a worker that is still starting nothing is known but whether it was stopped: a disk
        may take its time.
        """
        self._workers = workers
        self._stalled = stalled
        self._memory = memory
        self._now = now
        self._look_s = look_s
        self._memory_s = memory_s
        self._looks = OwnThread("health")
        self._cases: dict[int, _Case] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ended: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Look from now on. A second call does nothing."""
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(_again(self.look, self._look_s), name="watch-health"),
                asyncio.create_task(_again(self._memory, self._memory_s), name="watch-memory"),
            ]

    def rest(self) -> None:
        """Look no more until `begin`: there is nothing to look after."""
        tasks, self._tasks = self._tasks, []
        tasks += [case.asking for case in self._cases.values() if case.asking]
        self._cases = {}
        for task in tasks:
            task.cancel()
            self._ended.add(task)
            task.add_done_callback(self._ended.discard)

    async def end(self) -> None:
        """Look no more; returns when no question is under way."""
        self.rest()
        await asyncio.gather(*self._ended, return_exceptions=True)
        self._looks.close()

    async def look(self) -> None:
        """Look at each worker once, ask those that are due, and tell of those that stand still."""
        pulses = await self._looks.run(_pulses, dict(self._pids()))
        living = {number for number, _ in self._pids()}
        for number in self._cases.keys() - living:
            if asking := self._cases.pop(number).asking:
                asking.cancel()
        now_s = self._now()
        for number in living & pulses.keys():
            self._judge(number, self._workers[number], pulses[number], now_s)

    def _pids(self) -> list[tuple[int, int]]:
        """Of those that have a process and are not ending, by number."""
        workers = self._workers.items()
        return [(number, one.pid) for number, one in workers if one.pid and not one.is_ending]

    def _judge(self, number: int, worker: Running, beat: Pulse, now_s: float) -> None:
        case = self._cases.setdefault(number, _Case())
        engine = worker.engine if worker.ready is not None else None
        if engine is None:
            case.signs += beat.state != "T"
        seen = Look(
            now_s=now_s,
            is_busy=engine is None or engine.is_busy,
            progress=case.signs + (engine.progress if engine else 0),
            broken=engine.broken if engine else 0,
            cpu_s=beat.cpu_s,
            state=beat.state,
            answer=case.answer,
            is_asked=case.asking is not None and not case.asking.done(),
        )
        case.track, verdict = judge(case.track, seen)
        match verdict:
            case Ask(by_token) if engine is not None:
                case.questions += 1
                question = _ask(case, engine, case.questions, by_token=by_token)
                case.asking = asyncio.create_task(question, name=f"ask-worker-{number}")
                case.asking.add_done_callback(_note)
            case StandsStill() if not case.is_told:
                case.is_told = True
                self._stalled(number, verdict.reason)
            case _:
                pass


async def _ask(case: _Case, engine: Engine, number: int, *, by_token: bool) -> None:
    """One question to a worker. For a token there is no limit here: as long as it computes it
    may yet come, and a worker that does not is found by the looks."""
    answer = Answer(number, by_token, "proved")
    try:
        async with asyncio.timeout(None if by_token else LIGHT_S):
            await (engine.ready() if by_token else engine.alive())
    except EngineRefused as error:
        answer = replace(answer, outcome="refused", reason=str(error.facts["reason"]))
    except (LumbreError, TimeoutError) as error:
        answer = replace(answer, outcome="silent", reason=str(error))
    case.answer = answer


def _note(asking: "asyncio.Task[None]") -> None:
    if not asking.cancelled() and (fault := asking.exception()):
        _log.error("a question to a worker failed", exc_info=fault)


def _pulses(pids: Mapping[int, int]) -> dict[int, Pulse]:
    return {number: pulse(pid) for number, pid in pids.items()}


async def _again(look: Callable[[], Awaitable[None]], every_s: float) -> None:
    while True:
        try:
            await look()
        except Exception:  # whatever it was, the next look may see what matters
            _log.exception("a look failed")
        await asyncio.sleep(every_s)

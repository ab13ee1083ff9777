"""Keep the models' processes: the loop that does what the policy decides.

Everything here runs on one event loop, so `_happened` is the only writer of the state.
A lease is asked for with `lease(model)`; it is granted when a worker has given its first
token, or refused with the reason. Whatever happens, each asker gets one answer.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from lumbre import backends
from lumbre.core.backend import Engine
from lumbre.core.errors import DoesNotFit, LumbreError, Stopping, WorkerFailed
from lumbre.core.machine import Memory
from lumbre.core.model import RESIDENT_ROLES
from lumbre.hardware.usage import family
from lumbre.pool.lease import Counters, Lease, Measured, Prepared, View
from lumbre.pool.policy import decide
from lumbre.pool.state import (
    Asked,
    Cancelled,
    Closed,
    Effect,
    Event,
    Gone,
    Grant,
    Refuse,
    Released,
    Saw,
    Start,
    Started,
    State,
    Stop,
    Terms,
    Ticket,
)
from lumbre.pool.worker import Worker, new_key

_log = logging.getLogger(__name__)

_END_S = 1.0
"""Between a broken connection and the end of the process behind it."""
_PROOF_S = 10.0
"""How long a worker that broke off an answer may take for one token."""


class Pool:
    """All workers, and who may use them."""

    def __init__(
        self,
        prepare: Callable[[str], Awaitable[Prepared]],
        memory: Callable[[], Memory],
        logs: Path,
        *,
        reserve_bytes: int = 0,
        cap_bytes: int | None = None,
        start_timeout_s: float = 180.0,
        measured: Callable[[Prepared, Measured], None] | None = None,
    ) -> None:
        """`measured` hears what workers hold once they are ready, and when `measure` is called."""
        self.counters = Counters()
        self._prepare = prepare
        self._memory = memory
        self._logs = logs
        self._reserve_bytes = reserve_bytes
        self._start_timeout_s = start_timeout_s
        self._measured = measured
        self._state = State(cap_bytes=cap_bytes)
        self._tickets = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._prepared: dict[str, Prepared] = {}
        self._workers: dict[int, Worker] = {}
        self._engines: dict[int, Engine] = {}
        self._started: dict[int, Prepared] = {}
        """What each worker was started as; whoever asks next may prepare it otherwise."""
        self._failures: dict[int, LumbreError] = {}
        self._doubted: set[int] = set()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._others: set[asyncio.Task[None]] = set()
        self._alarm: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def lease(self, model: str) -> AsyncIterator[Lease]:
        """A worker of this model for as long as the block runs.

        Raises:
            DoesNotFit: there is no room for it, whatever else is stopped.
            WorkerFailed: it did not start, or died while this waited.
            Stopping: the household closes.
        """
        begun = time.monotonic()
        while True:
            async with self._ticket(model) as worker:
                engine = self._engines.get(worker)
                if engine is not None and await self._is_well(worker, engine):
                    waited_s = time.monotonic() - begun
                    try:
                        yield Lease(worker, model, engine, waited_s)
                    except WorkerFailed as error:
                        self._doubted.add(worker)
                        raise await self._why(worker, model, error) from error
                    return
            # it is dead and nobody has told us yet: see it gone, then ask again
            if task := self._tasks.get(worker):
                await asyncio.wait([task])

    async def _is_well(self, number: int, engine: Engine) -> bool:
        """Whether a worker still answers; one that failed its last request must show it.

        One that does not is killed: alive is who produces a token.
        """
        worker = self._workers.get(number)
        if worker is None or worker.has_ended():
            return False
        if number in self._doubted:
            try:
                async with asyncio.timeout(_PROOF_S):
                    await engine.ready()
            except (LumbreError, TimeoutError):
                await worker.stop()
                return False
            self._doubted.discard(number)
        return True

    async def _why(self, number: int, model: str, broken: WorkerFailed) -> WorkerFailed:
        """What a broken connection was: the process's own end, if it has ended.

        A connection breaks a moment before the process behind it is gone.
        """
        if worker := self._workers.get(number):
            with suppress(TimeoutError):
                async with asyncio.timeout(_END_S):
                    await worker.gone()
                    return worker.failure()
        told = self._failures.get(number)
        if isinstance(told, WorkerFailed):
            return told
        return WorkerFailed(model=model, reason=broken.facts["reason"], log=str(self._log(model)))

    def _log(self, model: str) -> Path:
        """Where a model's engine writes."""
        return self._logs / f"{model}.log"

    @asynccontextmanager
    async def _ticket(self, model: str) -> AsyncIterator[int]:
        """Ask, wait for the answer, and give the lease back after the block."""
        prepared = self._prepared[model] = await self._prepare(model)
        number = next(self._tickets)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        terms = Terms(
            need_bytes=prepared.need.total_bytes,
            slots=prepared.slots,
            idle_s=prepared.idle_s,
            resident=prepared.manifest.role in RESIDENT_ROLES,
        )
        try:
            await self._look(model)
            self._happened(Asked(Ticket(number, model), terms))
            yield await answer
        finally:
            # one event for both: a ticket still waiting is withdrawn, a lease comes back
            granted = self._waiting.pop(number, None) is None
            self._happened(Released(number) if granted else Cancelled(number))

    async def views(self) -> list[View]:
        """Every worker, with its memory as measured now."""
        now = time.monotonic()
        seen = []
        for number, loaded in self._state.workers.items():
            worker = self._workers.get(number)
            held_bytes = await asyncio.to_thread(worker.pss_bytes) if worker else 0
            seen.append(
                View(
                    model=loaded.model,
                    role=self._prepared[loaded.model].manifest.role,
                    state=loaded.phase,
                    pid=worker.pid if worker else None,
                    need_bytes=loaded.terms.need_bytes,
                    held_bytes=held_bytes,
                    leases=len(loaded.leases),
                    idle_s=now - loaded.idle_since if loaded.is_idle else 0.0,
                )
            )
        return seen

    async def measure(self, model: str, *, is_full: bool) -> None:
        """Tell who listens what the workers of a model hold now, `is_full` with a full context."""
        for number, loaded in self._state.workers.items():
            worker = self._workers.get(number)
            if worker and loaded.model == model and self._measured:
                prepared = self._started[number]
                files = set(prepared.files.values())
                held_bytes = await asyncio.to_thread(worker.beside_bytes, files)
                if held_bytes:
                    seen = Measured(worker.pid, held_bytes, is_full)
                    try:
                        await asyncio.to_thread(self._measured, prepared, seen)
                    except LumbreError as error:  # no reason to end a worker, or an answer
                        _log.warning("%s was not learned from: %s", model, error)

    def held_bytes(self) -> int:
        """What all workers hold of main memory that is not a mapped file."""
        return sum(worker.private_bytes() for worker in list(self._workers.values()))

    def pids(self) -> list[int]:
        """Every process of ours that is there now, those that workers started included."""
        return [pid for worker in list(self._workers.values()) for pid in family(worker.pid)]

    @property
    def waiting(self) -> int:
        """Tickets without an answer yet."""
        return len(self._state.queue)

    def is_loaded(self, model: str) -> bool:
        """Whether a worker of this model answers, or is about to."""
        phases = {w.phase for w in self._state.workers.values() if w.model == model}
        return bool(phases & {"starting", "ready"})

    def is_ready(self, model: str) -> bool:
        """Whether a worker of this model answers now."""
        return any(w.model == model and w.phase == "ready" for w in self._state.workers.values())

    async def close(self, grace_s: float = 10.0) -> None:
        """Refuse who waits, let those in hand finish, and return when every process is gone."""
        self._happened(Closed())
        if self._alarm:
            self._alarm.cancel()
        while going := set(self._tasks.values()):
            done, _ = await asyncio.wait(going, timeout=grace_s)
            if not done:
                for task in going:
                    task.cancel()

    def _happened(self, event: Event) -> None:
        """Take one event, do what is decided. Never waits."""
        self._state, effects = decide(replace(self._state, now=time.monotonic()), event)
        for effect in effects:
            self._act(effect)
        self._set_alarm()

    def _act(self, effect: Effect) -> None:
        match effect:
            case Start(worker, model):
                prepared = self._started[worker] = self._prepared[model]
                self._tasks[worker] = asyncio.create_task(self._live(worker, model, prepared))
            case Stop(worker, why):
                model = self._state.workers[worker].model
                _add(self.counters.stops, (model, why))
                _log.info("stop %s: %s", model, why)
                self._aside(self._stop(worker))
            case Grant(ticket, worker):
                answer = self._waiting.pop(ticket)
                if not answer.done():  # else cancelled this very moment: its lease comes back
                    answer.set_result(worker)
            case Refuse():
                _add(self.counters.refusals, effect.why)
                answer = self._waiting.pop(effect.ticket)
                if not answer.done():
                    answer.set_exception(self._reason(effect))

    def _reason(self, refusal: Refuse) -> LumbreError:
        if refusal.why == "stopping":
            return Stopping()
        if refusal.why == "failed" and refusal.worker in self._failures:
            return self._failures[refusal.worker]
        need = self._prepared[refusal.model].need
        return DoesNotFit(
            model=refusal.model,
            need_bytes=need.total_bytes,
            weights_bytes=need.weights_bytes,
            repack_bytes=need.repack_bytes,
            kv_bytes=need.kv_bytes,
            overhead_bytes=need.compute_bytes + need.overhead_bytes,
            available_bytes=refusal.free_bytes,
        )

    async def _live(self, number: int, model: str, prepared: Prepared) -> None:
        """One worker from start to grave; `Gone` is always the last thing said of it."""
        log = self._log(model)
        begun = time.monotonic()
        try:
            backend = backends.find(prepared.engine or prepared.manifest.engine)
            key = new_key()
            launch = backend.launch(prepared.manifest, prepared.files, prepared.settings, key)
            async with asyncio.timeout(self._start_timeout_s):
                worker = self._workers[number] = await Worker.start(launch, model, log)
                engine = self._engines[number] = backend.connect(prepared.manifest, worker.url, key)
                await engine.ready()
            _add(self.counters.loads, model)
            _add(self.counters.load_s, model, time.monotonic() - begun)
            self._happened(Started(number))
            await self.measure(model, is_full=False)
            await worker.gone()
            raise worker.failure()
        except LumbreError as error:
            self._failures[number] = error
        except TimeoutError:
            reason = f"no first token within {self._start_timeout_s:.0f} s"
            self._failures[number] = WorkerFailed(model=model, reason=reason, log=str(log))
        except asyncio.CancelledError:
            pass  # told to stop while it was still starting
        except Exception as error:
            _log.exception("%s", model)
            self._failures[number] = WorkerFailed(model=model, reason=repr(error), log=str(log))
        finally:
            await asyncio.shield(self._bury(number))

    async def _bury(self, number: int) -> None:
        """See a process gone, then say so."""
        loaded = self._state.workers[number]
        if loaded.phase != "stopping":
            _add(self.counters.failures, loaded.model)
            _log.warning("%s: %s", loaded.model, self._failures.get(number, "gone"))
        if engine := self._engines.get(number):
            with suppress(LumbreError):
                await engine.close()
        if worker := self._workers.get(number):
            await worker.stop()
        self._happened(Gone(number, await asyncio.to_thread(self._seen)))
        for table in (self._engines, self._workers, self._tasks, self._started):
            table.pop(number, None)
        self._doubted.discard(number)

    async def _stop(self, number: int) -> None:
        """End a worker; its own task then sees it gone."""
        worker = self._workers.get(number)
        if worker is not None and number in self._engines:
            await worker.stop()
        elif task := self._tasks.get(number):
            task.cancel()

    async def _look(self, model: str) -> None:
        """Read memory before a decision that may start something."""
        if not self.is_ready(model):
            self._happened(await asyncio.to_thread(self._seen))

    def _seen(self) -> Saw:
        held = {}
        for number, worker in list(self._workers.items()):
            with suppress(LumbreError):
                held[number] = worker.private_bytes()
        return Saw(time.monotonic(), self._available(), held)

    def _available(self) -> int:
        return self._memory().available_bytes - self._reserve_bytes

    def _set_alarm(self) -> None:
        """Wake when the next idle worker's time is up."""
        if self._alarm:
            self._alarm.cancel()
        due = [
            worker.idle_since + worker.terms.idle_s
            for worker in self._state.workers.values()
            if worker.is_idle and worker.terms.idle_s is not None
        ]
        if due and not self._state.closing:
            delay_s = max(0.0, min(due) - time.monotonic())
            self._alarm = asyncio.get_running_loop().call_later(delay_s, self._wake)

    def _wake(self) -> None:
        async def look() -> None:
            self._happened(await asyncio.to_thread(self._seen))

        self._aside(look())

    def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._others.add(task)
        task.add_done_callback(self._others.discard)


def _add(table: dict[Any, Any], key: object, amount: float = 1) -> None:
    table[key] = table.get(key, 0) + amount

"""Keep the models' processes: the loop that does what the policy decides.

Everything here runs on one event loop, so `_happened` is the only writer of the state.
A lease is asked for with `lease(model)`; it is granted when a worker has given its first
token, or refused with the reason. Whatever happens, each asker gets one answer.
"""

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from lumbre.core.errors import LumbreError, Stopping, WorkerFailed
from lumbre.core.machine import Memory
from lumbre.hardware.nvidia import Card
from lumbre.hardware.usage import family, private_bytes
from lumbre.pool.lease import (
    Counters,
    DeviceView,
    Ended,
    Lease,
    Limits,
    Measured,
    Prepared,
    Resting,
    View,
    Waiting,
)
from lumbre.pool.measuring import tell
from lumbre.pool.policy import events
from lumbre.pool.policy.beside import fits_beside
from lumbre.pool.policy.budget import short
from lumbre.pool.policy.decide import decide
from lumbre.pool.policy.end import due
from lumbre.pool.policy.state import Ticket
from lumbre.pool.refusal import refusal_of
from lumbre.pool.running import Running
from lumbre.pool.sight import Sight
from lumbre.pool.talks.talks import Talks, saving_s
from lumbre.pool.terms import beginning, terms_of
from lumbre.pool.views import device_views, resting_views, waiting_views, worker_views
from lumbre.pool.watch import Watch

_log = logging.getLogger(__name__)

_PAST = 50
"""Ends of workers that are remembered."""


class Pool:
    """All workers, and who may use them."""

    def __init__(
        self,
        prepare: Callable[[str], Awaitable[Prepared]],
        memory: Callable[[], Memory],
        logs: Path,
        *,
        limits: Limits | None = None,
        cards: Callable[[], Sequence[Card]] | None = None,
        start_timeout_s: float = 180.0,
        measured: Callable[[Prepared, Measured], None] | None = None,
        talks: Talks | None = None,
    ) -> None:
        """`measured` hears what workers hold once they are ready, and when `measure` is called."""
        self.counters = Counters()
        self.talks = talks or Talks()
        self.past: deque[Ended] = deque(maxlen=_PAST)
        self._limits = limits or Limits()
        self._prepare = prepare
        self._sight = Sight(memory, cards, self._limits.reserve)
        self._logs = logs
        self._start_timeout_s = start_timeout_s
        self._measured = measured
        self._state = beginning(self._limits, self._sight.devices)
        self._tickets = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._asked: dict[int, float] = {}
        self._prepared: dict[str, Prepared] = {}
        self._running: dict[int, Running] = {}
        self._failures: dict[int, LumbreError] = {}
        self._watch = Watch(self._running, self.stalled, self._glance)
        self._others: set[asyncio.Task[None]] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._news = asyncio.Event()

    @asynccontextmanager
    async def lease(self, model: str, *, insists: bool = False) -> AsyncIterator[Lease]:
        """A worker of this model for as long as the block runs.

        `insists`: a model that failed a moment ago is tried all the same.

        Raises:
            DoesNotFit, NoRoomOnCard, TooManyLoaded: no room, whatever else is stopped.
            WorkerFailed: it did not start, or died while this waited.
            JustFailed: it failed a moment ago.
            Stopping: the household closes.
        """
        begun = time.monotonic()
        while True:
            async with self._ticket(model, insists=insists) as worker:
                running = self._running.get(worker)
                if running and running.engine and await running.is_well():
                    waited_s = time.monotonic() - begun
                    self.counters.waited(model, waited_s)
                    try:
                        yield Lease(worker, running.prepared, running.engine, waited_s)
                    except WorkerFailed as error:
                        running.is_doubted = True
                        raise await running.why(error) from error
                    return
            # it is dead and nobody has told us yet: see it gone, then ask again
            if running and running.task:
                await asyncio.wait([running.task])

    @asynccontextmanager
    async def _ticket(self, model: str, *, insists: bool) -> AsyncIterator[int]:
        """Ask, wait for the answer, and give the lease back after the block."""
        prepared = await self._prepare(model)
        self.counters.roles[model] = prepared.manifest.role
        number = next(self._tickets)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._asked[number] = time.monotonic()
        is_well = True
        try:
            if not self.is_ready(model) and not self._state.closing:  # a start wants a look before
                self._happened(await self._sight.thread.run(self._seen))
            terms = terms_of(prepared, self._limits, self.counters.mean_load_s(model))
            self._prepared[model] = prepared  # in one go: what is promised is what is started
            self._happened(events.Asked(Ticket(number, model, insists), terms))
            yield await answer
        except WorkerFailed:
            is_well = False
            raise
        finally:
            # one event for both: a ticket still waiting is withdrawn, a lease comes back
            self._asked.pop(number, None)
            granted = self._waiting.pop(number, None) is None
            self._happened(
                events.Released(number, is_well) if granted else events.Cancelled(number)
            )

    def pin(self, model: str, *, is_pinned: bool = True) -> None:
        """Keep a model loaded once it is, or no longer, as a person wants it."""
        self._happened(events.Pinned(model, is_pinned))

    def earn(self, model: str, *, has_earned: bool = True) -> None:
        """Keep it loaded as long as nobody else needs the room, for it is needed often."""
        self._happened(events.Earned(model, has_earned))

    def fits(self, prepared: Prepared, staying: Sequence[Prepared] = ()) -> bool:
        """Whether it could stay loaded beside all that does, as memory was last seen.

        `staying` are models that are to stay, asked for or not.
        """
        need = terms_of(prepared, self._limits).need
        others = {one.manifest.id: terms_of(one, self._limits) for one in staying}
        return fits_beside(self._state, prepared.manifest.id, need, others)

    @property
    def pinned(self) -> frozenset[str]:
        """As a person wants it."""
        return self._state.pinned

    async def unload(self, model: str) -> None:
        """End a model's worker as soon as nobody uses it, and see it gone.

        A caller that gives up waiting does not change that.
        """
        loaded = self._state.of_model(model)
        if loaded is None:
            return
        self._happened(events.Dismissed(model))
        while (now := self._state.workers.get(loaded.worker)) is not None:
            if now.phase == "ready" and not now.leaving:  # it had to serve who waited for it
                self._happened(events.Dismissed(model))
            self._news.clear()
            await self._news.wait()

    async def views(self) -> list[View]:
        """Every worker, with its memory as measured now."""
        pids = self._pids()
        return worker_views(
            self._state,
            time.monotonic(),
            roles={n: r.manifest.role for n, r in self._running.items()},
            pids=pids,
            measured=await asyncio.to_thread(self._sight.whole, pids),
        )

    def devices(self) -> list[DeviceView]:
        """Each device's memory as it is kept."""
        return device_views(self._state, self._limits)

    def queue(self) -> list[Waiting]:
        """Who waits, oldest first."""
        return waiting_views(self._state, time.monotonic(), self._asked)

    def resting(self) -> list[Resting]:
        """Models that failed and are left alone for a while."""
        return resting_views(self._state, time.monotonic(), self._failures)

    async def look(self) -> None:
        """Read memory now, and act on it."""
        self._happened(await self._sight.thread.run(self._seen))
        if short(self._state):
            self._happened(events.Pressed())

    async def _glance(self) -> None:
        """Look at memory cheaply; closely where it seems short, or somebody waits for it."""
        available = await self._sight.thread.run(self._sight.glance)
        if self._state.queue or short(replace(self._state, available=available)):
            await self.look()

    async def measure(self, model: str, *, is_full: bool) -> None:
        """Tell who listens what the workers of a model hold now, `is_full` with a full context."""
        if self._measured:
            of_model = [one for one in self._running.values() if one.model == model]
            await tell(self._measured, of_model, is_full=is_full)

    def resident_s(self) -> dict[tuple[str, str], float]:
        """Seconds that workers were ready, by model and role; those that are count until now."""
        told = replace(self.counters, resident_s=dict(self.counters.resident_s))
        for running in self._running.values():
            told.stayed(running.manifest, running.ready_s)
        return told.resident_s

    def held_bytes(self) -> int:
        """What all workers hold of main memory that is not a mapped file."""
        return sum(map(private_bytes, self.pids()))

    def pids(self) -> list[int]:
        """Every process of ours that is there now, those that workers started included."""
        return [member for pid in self._pids().values() for member in family(pid)]

    def _pids(self) -> dict[int, int]:
        """By worker, those that are still loading too."""
        return {number: one.pid for number, one in list(self._running.items()) if one.pid}

    @property
    def waiting(self) -> int:
        """Tickets without an answer yet."""
        return len(self._state.queue)

    def is_loaded(self, model: str) -> bool:
        """Whether a worker of this model answers, or is about to."""
        loaded = self._state.of_model(model)
        return loaded is not None and loaded.phase in ("starting", "ready")

    def is_ready(self, model: str) -> bool:
        """Whether a worker of this model answers now."""
        loaded = self._state.of_model(model)
        return loaded is not None and loaded.phase == "ready"

    async def close(self, grace_s: float = 10.0) -> None:
        """Refuse who waits, let those in hand finish, and return when every process is gone."""
        self._happened(events.Closed())
        if self._alarm:
            self._alarm.cancel()
        while going := {r.task for r in self._running.values() if r.task} | self._others:
            done, _ = await asyncio.wait(going, timeout=grace_s)
            if not done:
                for task in going:
                    task.cancel()
        await self._watch.end()
        self._sight.thread.close()

    def _happened(self, event: events.Event) -> None:
        """Take one event, do what is decided. Never waits."""
        self._state, effects = decide(replace(self._state, now=time.monotonic()), event)
        for effect in effects:
            self._act(effect)
        self._set_alarm()
        self._news.set()
        (self._watch.begin if self._state.workers or self._state.queue else self._watch.rest)()

    def _act(self, effect: events.Effect) -> None:
        match effect:
            case events.Start(worker, model):
                running = Running(self._prepared[model], self._logs / f"{model}.log")
                self._running[worker] = running
                running.task = asyncio.create_task(self._live(worker, running))
            case events.Stop(worker, why, room_for):
                running = self._running[worker]
                _add(self.counters.stops, (running.model, why))
                self.past.append(Ended(time.monotonic(), running.model, why, room_for))
                _log.info("stop %s: %s %s", running.model, why, room_for)
                self._aside(running.stop(self.talks.before_stop(worker, saving_s(why))))
            case events.Kill(worker):
                running = self._running[worker]
                _log.warning("kill %s: %s", running.model, running.failure)
                self._aside(running.kill())
            case events.Grant(ticket, worker):
                answer = self._waiting.pop(ticket)
                if not answer.done():  # else cancelled this very moment: its lease comes back
                    answer.set_result(worker)
            case events.Refuse():
                _add(self.counters.refusals, (effect.model, effect.why))
                answer = self._waiting.pop(effect.ticket)
                if not answer.done():
                    prepared = self._prepared[effect.model]
                    failure = self._failures.get(effect.worker or 0)
                    answer.set_exception(refusal_of(effect, prepared, self._limits, failure))

    async def _live(self, number: int, running: Running) -> None:
        """One worker from start to grave; `Gone` is always the last thing said of it."""
        try:
            load_s = await running.begin(self._start_timeout_s)
            _add(self.counters.loads, running.model)
            _add(self.counters.load_s, running.model, load_s)
            self._happened(events.Started(number, load_s))
            self._aside(self._measure_at_rest(number, running.model))
            if running.worker:
                await running.worker.gone()
                raise running.worker.failure()
        except WorkerFailed as error:
            running.failure = running.failure or await running.why(error)
        except LumbreError as error:
            running.failure = running.failure or error
        except asyncio.CancelledError:
            pass  # told to stop while it was still starting
        except Exception as error:
            _log.exception("%s", running.model)
            running.failure = running.failed(repr(error))
        finally:
            await asyncio.shield(self._bury(number, running))

    async def _measure_at_rest(self, number: int, model: str) -> None:
        """What it holds after its load; reading that stops it for a moment, so not while somebody
        waits for its first answer."""
        while (loaded := self._state.workers.get(number)) and loaded.phase == "ready":
            if not loaded.leases and all(t.model != model for t in self._state.queue):
                await self.measure(model, is_full=False)
                return
            self._news.clear()
            await self._news.wait()

    async def _bury(self, number: int, running: Running) -> None:
        """See a process gone, then say so."""
        loaded = self._state.workers[number]
        if loaded.phase != "stopping" or loaded.leaving == "stalled":
            _add(self.counters.failures, loaded.model)
            broke: Literal["failed", "stalled"] = "stalled" if running.stood_still else "failed"
            self.past.append(Ended(time.monotonic(), loaded.model, broke, ""))
            _log.warning("%s: %s", loaded.model, running.failure or "gone")
        await running.end()
        self.counters.stayed(running.manifest, running.ready_s)
        self.talks.gone(number)
        seen = await self._sight.thread.run(self._seen)
        self._failures[number] = running.failure or Stopping()
        self._running.pop(number)
        self._happened(events.Gone(number, seen))
        told = {cooling.worker for cooling in self._state.cooling.values()}
        self._failures = {n: error for n, error in self._failures.items() if n in told}

    def stalled(self, worker: int, reason: str) -> None:
        """A worker stands still: end it, and tell those who use it why."""
        if running := self._running.get(worker):
            _add(self.counters.stalls, running.model)
            running.stands_still(reason)
            self._happened(events.Stalled(worker))

    def _seen(self) -> events.Saw:
        begun = time.monotonic()
        available, held = self._sight.private(self._pids())
        return events.Saw(begun, available, held)

    def _set_alarm(self) -> None:
        """Wake when the next idle worker's time is up."""
        if self._alarm:
            self._alarm.cancel()
        now = time.monotonic()
        if (at := due(self._state, now)) is not None:
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(at - now, lambda: self._aside(self.look()))

    def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._others.add(task)
        task.add_done_callback(self._others.discard)


def _add(table: dict[Any, Any], key: object, amount: float = 1) -> None:
    table[key] = table.get(key, 0) + amount

"""A talk goes on where it was after its model was unloaded, without being read again.

While a talk has a seat in a worker its requests name the slot. When it loses the seat,
because the worker ends or another talk needs it, the engine writes the slot to a file; when
it comes back, it reads that file instead of the prompt. What then counts is the engine's
own word in the next answer, how many tokens it had: a state that brought fewer than it was
said to hold is a miss and goes.

Some models cannot be cut back to an earlier token: recurrent ones, and those with sliding
windows beyond their window. There llama.cpp goes on from its checkpoints, of which it writes
those of a slot behind its state and reads them again (b11549 and b11669, tried; older builds
do not, its issue 28194). So after a swap as in a running worker such a talk goes on where
its last prompt began to differ, and one that differs earlier is read again from the start.
A build that brings nothing at all is known by its first miss, and no more states of that
model are written while the household is open.
"""

import asyncio
import logging
import os
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from weakref import WeakValueDictionary

from lumbre.core.backend import Chats, Remembers
from lumbre.core.errors import CannotDo, EngineRefused, LumbreError, WorkerFailed
from lumbre.core.generation import ChatRequest, Delta, Usage
from lumbre.pool.lease import Lease, Prepared
from lumbre.pool.policy.events import Why
from lumbre.pool.talks.fingerprint import TAIL_TOKENS, expected_tokens, fingerprint_of, marks
from lumbre.pool.talks.seats import Seat, Taken, give_back, leave, lose, seated, take
from lumbre.pool.talks.states import Kept, States

_log = logging.getLogger(__name__)

_SAVE_S = 5.0
_SAVE_PRESSED_S = 1.0
"""Where another program waits for the memory."""
_RESTORE_S = 10.0


@dataclass(slots=True)
class Counts:
    """What became of states since the household opened, by model."""

    saves: dict[str, int] = field(default_factory=dict)
    restores: dict[str, int] = field(default_factory=dict)
    misses: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Note:
    """What is known of one seat's slot beside who sits there."""

    tokens: int = 0
    prompt_tokens: int = 0
    expected_tokens: int = 0
    """What the next answer has to say it had, after a restore; 0: nothing is expected."""


@dataclass(slots=True)
class _Room:
    """The seats of one worker."""

    engine: Remembers
    prepared: Prepared
    fingerprint: str
    seats: tuple[Seat, ...]
    notes: list[_Note]
    free: asyncio.Semaphore
    bytes_per_token: float


class Talks:
    """Which talk sits where, and what is kept of those that do not."""

    def __init__(self, states: States | None = None) -> None:
        """Without states nothing is kept."""
        self.counts = Counts()
        self._states = states or States(Path(os.devnull), 0)
        self._rooms: dict[int, _Room] = {}
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        """One writes or reads the states of a conversation at a time."""
        self._vain: set[str] = set()
        """Fingerprints whose states an engine does not go on from."""

    async def chat(self, lease: Lease, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """The engine's answer, with the talk in its seat before and free to leave it after.

        Raises: as `Chats.chat`, and
            CannotDo: the model does not chat.
        """
        engine = lease.engine
        if not isinstance(engine, Chats):
            raise CannotDo(model=lease.model, what="chat")
        if not isinstance(engine, Remembers) or not lease.prepared.settings.states_folder:
            async with aclosing(engine.chat(request)) as deltas:
                async for delta in deltas:
                    yield delta
            return
        room = await self._room(lease.worker, engine, lease.prepared)
        async with room.free:
            at = await self._sit(lease.worker, room, request)
            usage: Usage | None = None
            try:
                async with aclosing(engine.chat(replace(request, slot=at))) as deltas:
                    async for delta in deltas:
                        usage = delta.usage or usage
                        yield delta
            finally:
                self._rise(room, at, usage)

    async def before_stop(self, worker: int, limit_s: float = _SAVE_S) -> None:
        """Save every talk that sits in a worker, the last used first. Never raises.

        Nobody may be served by it any more.
        """
        room = self._rooms.get(worker)
        if room is None:
            return
        until = time.monotonic() + limit_s
        for at in seated(room.seats):
            if not room.seats[at].is_busy:
                await self._save(room, at, room.seats[at], until - time.monotonic())

    def gone(self, worker: int) -> None:
        """The worker's process has ended."""
        self._rooms.pop(worker, None)

    async def forget(self, conversation: int) -> None:
        """Delete what is kept of a conversation: on disk, and in engines that are not busy."""
        for room in list(self._rooms.values()):
            at = next((n for n, s in enumerate(room.seats) if s.conversation == conversation), None)
            room.seats = leave(room.seats, conversation)
            if at is not None and not room.seats[at].is_busy:
                with suppress(LumbreError):  # then it is forgotten with its worker
                    await self._erase(room, at)
        async with self._lock(conversation):
            await asyncio.to_thread(self._states.forget, conversation)

    async def forget_all(self) -> None:
        """Delete what is kept of every talk, likewise. Those at work now are not kept later."""
        for room in list(self._rooms.values()):
            for conversation in [room.seats[at].conversation for at in seated(room.seats)]:
                room.seats = leave(room.seats, conversation or 0)
        for room in list(self._rooms.values()):
            for at in range(len(room.seats)):
                if not room.seats[at].is_busy:
                    room.seats = lose(room.seats, at)
                    with suppress(LumbreError):  # then it is forgotten with its worker
                        await self._erase(room, at)
        await asyncio.to_thread(self._states.forget_all)

    async def _sit(self, worker: int, room: _Room, request: ChatRequest) -> int:
        """Take a seat that is free, and have the talk in it."""
        if worker not in self._rooms:
            reason = "it ended while this waited"
            raise WorkerFailed(model=room.prepared.manifest.id, reason=reason, log="")
        said = marks(request.messages)
        found = take(room.seats, request.conversation, said)
        if found is None:
            raise RuntimeError("a seat that is free is at work")
        before = room.seats
        room.seats, taken = found
        if not taken.is_own:
            await self._settle(room, before[taken.seat], taken, said)
        return taken.seat

    def _rise(self, room: _Room, at: int, usage: Usage | None) -> None:
        """The seat is no longer at work. `usage`: as the engine told; None: it was cut short."""
        seat, note = room.seats[at], room.notes[at]
        if usage is not None:
            self._verify(room, seat, note, usage)
        note.expected_tokens = 0
        note.prompt_tokens = usage.prompt_tokens if usage else 0
        note.tokens = usage.prompt_tokens + usage.output_tokens if usage else note.tokens
        room.seats = give_back(room.seats, at)

    async def _room(self, worker: int, engine: Remembers, prepared: Prepared) -> _Room:
        if worker not in self._rooms:
            try:
                fingerprint = await asyncio.to_thread(fingerprint_of, prepared)
            except OSError as error:  # nothing will ever be found under this one
                _log.warning("%s: %s", prepared.manifest.id, error)
                fingerprint = secrets.token_hex(12)
            settings = prepared.settings
            kv_bytes = sum(footprint.kv_bytes for footprint in prepared.need.values())
            count = max(1, settings.slots)
            room = _Room(
                engine=engine,
                prepared=prepared,
                fingerprint=fingerprint,
                seats=(Seat(),) * count,
                notes=[_Note() for _ in range(count)],
                free=asyncio.Semaphore(count),
                bytes_per_token=kv_bytes / max(1, settings.context_tokens),
            )
            self._rooms.setdefault(worker, room)
        return self._rooms[worker]

    async def _settle(self, room: _Room, before: Seat, taken: Taken, said: tuple[str, ...]) -> None:
        """Who sat there is saved, and whoever sits down is restored or finds it empty."""
        at, is_touched = taken.seat, False
        conversation = room.seats[at].conversation
        try:
            if taken.leaves is not None:
                await self._save(room, at, before, _SAVE_S)
            is_touched = True
            room.notes[at] = _Note()
            if conversation is not None and await self._restore(room, at, conversation, said):
                return
            if taken.is_erased:
                await self._erase(room, at)
        except BaseException:
            room.seats = lose(room.seats, at) if is_touched else lose(room.seats, at, before)
            raise

    async def _save(self, room: _Room, at: int, seat: Seat, limit_s: float) -> None:
        """Write a seat's slot to a file. Never raises: the file only saves time."""
        conversation, model = seat.conversation, room.prepared.manifest.id
        if conversation is None or room.fingerprint in self._vain or limit_s <= 0:
            return
        note = room.notes[at]
        size_bytes = round(room.bytes_per_token * note.tokens)
        name: str | None = None
        try:
            async with asyncio.timeout(limit_s), self._lock(conversation):
                name = await asyncio.to_thread(self._states.begin, conversation, size_bytes)
                if name is None:
                    _log.info("%s: a talk of %d tokens is not kept", model, note.tokens)
                    return
                tokens = await room.engine.save(at, name)
                if not tokens or tokens + TAIL_TOKENS < note.prompt_tokens:
                    return  # the engine had to give its cells to something else
                kept = Kept(model, tokens, note.prompt_tokens, seat.said)
                written = await asyncio.to_thread(
                    self._states.keep, name, conversation, room.fingerprint, kept
                )
        except TimeoutError:
            _log.warning("%s: a talk was not kept: not written within %.1f s", model, limit_s)
        except (LumbreError, OSError) as error:
            _log.warning("%s: a talk was not kept: %s", model, error)
        else:
            if written:
                room.bytes_per_token = written / tokens
                _add(self.counts.saves, model)
        finally:
            if name is not None:
                self._states.discard(name)

    async def _restore(self, room: _Room, at: int, conversation: int, said: Sequence[str]) -> bool:
        """Whether the slot now knows the talk as far as it was kept.

        Raises:
            WorkerFailed: the engine ended over it.
        """
        model = room.prepared.manifest.id
        if room.fingerprint in self._vain:
            return False
        async with self._lock(conversation):
            found = await asyncio.to_thread(self._states.find, conversation, room.fingerprint)
            if found is None:
                return False
            name, kept = found
            try:
                async with asyncio.timeout(_RESTORE_S):
                    tokens = await room.engine.restore(at, name)
            except (EngineRefused, TimeoutError) as error:
                _log.warning("%s: a talk is read again: %s", model, error or "not in time")
                self._states.drop(conversation, room.fingerprint)
                return False
            except WorkerFailed:
                self._states.drop(conversation, room.fingerprint)
                raise
        _add(self.counts.restores, model)
        room.notes[at] = _Note(tokens=tokens, expected_tokens=expected_tokens(kept, said))
        return True

    async def _erase(self, room: _Room, at: int) -> None:
        try:
            await room.engine.erase(at)
        except EngineRefused as error:  # it cuts back to what both have in common by itself
            _log.warning("%s: slot %d: %s", room.prepared.manifest.id, at, error)

    def _verify(self, room: _Room, seat: Seat, note: _Note, usage: Usage) -> None:
        """Compare what a restored slot brought with what it was said to hold."""
        if usage.cached_tokens >= note.expected_tokens or seat.conversation is None:
            return
        model = room.prepared.manifest.id
        _log.warning(
            "%s: of %d tokens kept %d were there",
            model, note.expected_tokens, usage.cached_tokens,
        )  # fmt: skip
        _add(self.counts.misses, model)
        if not usage.cached_tokens:
            self._vain.add(room.fingerprint)
        self._states.drop(seat.conversation, room.fingerprint)

    def _lock(self, conversation: int) -> asyncio.Lock:
        return self._locks.setdefault(conversation, asyncio.Lock())


def saving_s(why: Why) -> float:
    """How long saving may take before a worker is ended."""
    return _SAVE_PRESSED_S if why == "pressure" else _SAVE_S


def _add(table: dict[str, int], key: str) -> None:
    table[key] = table.get(key, 0) + 1

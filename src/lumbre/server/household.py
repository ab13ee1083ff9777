"""What a household does for a person: ask, add documents, search, tell what runs.

It holds the parts together (models, documents, conversations) and speaks in plain events,
so that the socket, and whatever face comes next, only has to pass them on.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import asdict
from typing import Any

from lumbre.assistant.conversation import Conversations
from lumbre.config import Config
from lumbre.core.errors import BadArguments, ModelPinned, UnknownConversation
from lumbre.core.generation import PromptProgress
from lumbre.core.machine import CPU, Host
from lumbre.core.messages import Message
from lumbre.hardware.usage import pss_bytes
from lumbre.knowledge.answer import Done, Phase, Settings, Text, answer
from lumbre.knowledge.cited import Cited
from lumbre.knowledge.index import Index
from lumbre.planning import this_machine_of
from lumbre.runtime import Runtime
from lumbre.server import looks, signals
from lumbre.server.asked import language as _language
from lumbre.server.asked import paths as _paths
from lumbre.server.asked import text as _text
from lumbre.server.documents import Documents
from lumbre.server.metrics import exposition
from lumbre.server.peak import measured
from lumbre.server.reply import reply
from lumbre.store import Store
from lumbre.triggers import Triggers

Event = dict[str, Any]

NOT_LOADED: Event = {
    "was_loaded": False,
    "is_wanted": False,
    "held_bytes": 0,
    "freed_bytes": 0,
}
"""What unloading says of a model that is not there."""


class Household:
    """Everything behind the socket."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.on_stop: Callable[[], None] = lambda: None
        self.store = Store(config.folders.database)
        self.runtime = Runtime(config, self.store)
        self.index = Index(self.store)
        self.cited = Cited(self.store)
        self.documents = Documents(config, self.index, self.cited, self.runtime)
        self.conversations = Conversations(self.store)
        self.triggers = Triggers(self.runtime, self.store)
        self._host: Host | None = None
        self._in_use = 0
        self._used = self._opened = time.monotonic()

    async def ask(self, body: Event) -> AsyncGenerator[Event]:
        """Answer a question; with a `conversation`, as a turn of that talk.

        Body: `question`; optional `docs` (absolute paths), `model`, `language` (of the
        interface), `conversation` ("new", "last" or a number), `client_pid`, `explain`.
        """
        model = self.runtime.chat_model(body.get("model")).id
        question = _text(body, "question")
        wanted = body.get("conversation")
        conversation = None if wanted is None else self._conversation(wanted)
        history = None if conversation is None else self.conversations.get(conversation).turns
        if conversation is not None:
            yield {"event": "conversation", "id": conversation}
        begun = time.monotonic()
        async with measured(lambda: self._family(body.get("client_pid"))) as peak:
            yield {"event": "phase", "name": "loading", "model": model}
            load_s = max(
                await asyncio.gather(self.runtime.warm_embedder(), self.runtime.warm(model))
            )
            steps = answer(
                question,
                self.index,
                self.runtime,
                model=model,
                settings=self._answering(model),
                within=_paths(body.get("docs")),
                history=history,
                conversation=conversation,
                fallback=_language(body),
            )
            async with aclosing(steps):
                async for step in steps:
                    match step:
                        case Phase():
                            yield {"event": "phase", **asdict(step)}
                        case PromptProgress():
                            yield {"event": "progress", **asdict(step)}
                        case Text(text):
                            yield {"event": "text", "text": text}
                        case Done(told):
                            pass
        await asyncio.to_thread(self.cited.remember, told.citations)
        if conversation is not None:
            turns = Message("user", question), Message("assistant", told.text)
            with suppress(UnknownConversation):  # forgotten while it was answered
                self.conversations.add(conversation, *turns)
        told.timing["load_s"] = load_s
        told.timing["total_s"] = time.monotonic() - begun
        explain = body.get("explain") is True
        yield {"event": "done", "answer": reply(told, peak_bytes=peak.bytes, explain=explain)}

    async def open(
        self, models: Sequence[str] = (), conversation: object = None, *, insists: bool = False
    ) -> AsyncGenerator[Event]:
        """Load models ahead of the first question: these by id or role, or every eager one.

        `insists`: by hand, whatever they can do, and also what failed a moment ago.

        Raises:
            UnknownConversation: the one that is to go on is not there.
        """
        if conversation == "last":
            self.conversations.last()
        registry, runtime = self.runtime.registry, self.runtime
        embedder = runtime.embedder()
        if models and insists:
            wanted = [runtime.any_model(model) for model in models]
        elif models:
            wanted = [embedder if m == "embedding" else runtime.chat_model(m) for m in models]
        else:
            eager = [m for m in registry.usable() if m.loads == "eager" and m.role != "primary"]
            wanted = [runtime.primary(), *(m for m in eager if m.role != "embedding"), embedder]
        for manifest in wanted:
            yield {"event": "phase", "name": "loading", "model": manifest.id}
            was_loaded = runtime.pool.is_ready(manifest.id)
            load_s = await runtime.load(manifest, insists=insists)
            yield {
                "event": "loaded",
                "model": manifest.id,
                "load_s": load_s,
                "was_loaded": was_loaded,
                **await self._lies(manifest.id),
            }
        yield {"event": "done"}

    async def forget(self, body: Event) -> Event:
        """Delete a conversation, and what engines keep of it.

        Body: `conversation` ("last" or a number).

        Raises:
            UnknownConversation: no talk has this number.
        """
        conversation = self._conversation(body.get("conversation"), may_begin=False)
        await asyncio.to_thread(self.conversations.delete, conversation)
        await self.runtime.forget(conversation)
        return {"forgotten": conversation}

    async def unload(self, model: str) -> AsyncGenerator[Event]:
        """End a model's worker once its answers are finished, also if nobody waits for that.

        Raises:
            UnknownModel: nothing is called so.
            ModelPinned: it is to stay loaded.
        """
        pool = self.runtime.pool
        if model in pool.pinned:
            raise ModelPinned(model=model)
        view = next((one for one in await pool.views() if one.model == model), None)
        if view is None:
            self.runtime.registry.get(model)
            yield {"event": "done", **NOT_LOADED}
            return
        await pool.look()
        before = {device.id: device.available_bytes for device in pool.devices()}
        yield {"event": "unloading", "model": model, "leases": view.leases}
        await pool.unload(model)
        freed_bytes = sum(
            max(0, min(device.available_bytes - before.get(device.id, 0), held_bytes))
            for device in pool.devices()
            if (held_bytes := view.measured.get(device.id, 0))
        )
        yield {
            "event": "done",
            "was_loaded": True,
            "is_wanted": pool.is_loaded(model),
            "held_bytes": view.held_bytes,
            "freed_bytes": freed_bytes,
        }

    def pin(self, model: str, *, is_pinned: bool) -> Event:
        """Keep a model once it is loaded, or no longer; the setting is the command's affair.

        Raises:
            UnknownModel: nothing is called so.
        """
        if is_pinned:
            self.runtime.registry.get(model)
        pool = self.runtime.pool
        pool.pin(model, is_pinned=is_pinned)
        return {"pinned": sorted(pool.pinned), "is_loaded": pool.is_loaded(model)}

    async def ps(self) -> Event:
        """Who runs, with memory as measured now."""
        views, pool = await self.runtime.views(), self.runtime.pool
        devices = looks.budgets_told(pool.devices(), views)
        return {
            "household": {
                "pid": os.getpid(),
                "uptime_s": round(self.uptime_s, 1),
                "measured_bytes": pss_bytes(os.getpid()),
            },
            "models": [
                looks.model_told(view, pool.counters.loads.get(view.model, 0)) for view in views
            ],
            "devices": devices,
            "total_bytes": sum(view.held_bytes for view in views),
            "budget_bytes": sum(device["budget_bytes"] for device in devices),
        }

    async def top(self) -> Event:
        """The same, and what is going on: memory of every device, who waits, who had to go."""
        told, pool, now = await self.ps(), self.runtime.pool, time.monotonic()
        if self._host is None:
            self._host = await asyncio.to_thread(this_machine_of, self.config)
        views, waiting = await self.runtime.views(), pool.queue()
        private = {CPU: await asyncio.to_thread(pool.held_bytes)}
        tempo = self.runtime.tempo
        models = [
            looks.model_told(view, pool.counters.loads.get(view.model, 0))
            | looks.workings_told(view, waiting, tempo.tokens_per_s(view.model, now))
            for view in views
        ]
        return told | {
            "devices": looks.memory_told(pool.devices(), views, self._host, private),
            "models": models,
            "queue": looks.queue_told(waiting),
            "evictions": looks.evictions_told(tuple(pool.past), now),
            "cooling": looks.cooling_told(pool.resting()),
        }

    async def metrics(self) -> bytes:
        """The same in Prometheus form."""
        views = await self.runtime.views()
        return exposition(self.runtime, views, self.uptime_s, self.triggers.tally)

    def signal(self, body: Event) -> AsyncGenerator[Event]:
        """What follows from a signal. Body: `name`, `fields`; optional `language`.

        Raises:
            BadSignal: it does not exist, or a field of it is wrong.
        """
        return signals.hear(signals.asked(body), self.runtime, self.triggers, _language(body))

    def signalled(self, body: Event) -> Event:
        """What followed lately, and what the household before left unfinished."""
        return signals.lately(self.runtime, self.triggers, _language(body))

    @property
    def uptime_s(self) -> float:
        return time.monotonic() - self._opened

    def stop(self) -> None:
        """End once the answers in hand are finished."""
        self.on_stop()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """While the block runs, the household is not idle."""
        self._in_use += 1
        try:
            yield
        finally:
            self._in_use -= 1
            self._used = time.monotonic()

    def quiet_s(self) -> float:
        """For how long nobody has wanted anything."""
        return 0.0 if self._in_use else time.monotonic() - self._used

    def ends(self) -> None:
        """From now on only what is in hand is finished; triggers are answered at once."""
        self.triggers.end()

    async def close(self) -> None:
        """End every model and close the database."""
        await self.triggers.close()
        await self.runtime.close()
        self.store.close()

    def _conversation(self, wanted: object, *, may_begin: bool = True) -> int:
        if wanted == "new" and may_begin:
            return self.conversations.begin()
        if wanted == "last":
            return self.conversations.last()
        if isinstance(wanted, int) and not isinstance(wanted, bool):
            return self.conversations.get(wanted).id
        raise BadArguments(reason=f"conversation: {wanted!r}")

    def _answering(self, model: str) -> Settings:
        answers = self.config.settings.answers
        return Settings(
            passages=answers.passages,
            max_output_tokens=answers.max_output_tokens,
            temperature=answers.temperature,
            talk=self.runtime.sampling(model),
        )

    async def _lies(self, model: str) -> Event:
        """Where a model lies, and how much of it there is."""
        for view in await self.runtime.views():
            if view.model == model:
                return {
                    "device": view.device,
                    "planned_bytes": view.need_bytes,
                    "measured_bytes": view.held_bytes,
                }
        return {"device": CPU, "planned_bytes": 0, "measured_bytes": 0}  # gone already

    def _family(self, client_pid: object) -> set[int]:
        """The processes that work on a client's question, it included."""
        ours = {os.getpid(), *self.runtime.pool.pids()}
        return ours | {client_pid} if isinstance(client_pid, int) else ours

"""What a household does for a person: ask, add documents, search, tell what runs.

It holds the parts together (models, documents, conversations) and speaks in plain events,
so that the socket, and whatever face comes next, only has to pass them on.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import asdict
from typing import Any

from lumbre.assistant.conversation import Conversations
from lumbre.config import Config
from lumbre.core.document import Answer
from lumbre.core.errors import BadArguments
from lumbre.core.generation import PromptProgress
from lumbre.core.messages import Message
from lumbre.hardware.usage import pss_bytes
from lumbre.knowledge.answer import Done, Phase, Settings, Text, answer
from lumbre.knowledge.cited import Cited
from lumbre.knowledge.index import Index
from lumbre.runtime import Runtime
from lumbre.server.asked import language as _language
from lumbre.server.asked import paths as _paths
from lumbre.server.asked import text as _text
from lumbre.server.documents import Documents
from lumbre.server.metrics import exposition
from lumbre.store import Store

Event = dict[str, Any]

_SAMPLE_S = 0.25
"""Reading the share of a 2 GB process takes the kernel 5 ms: this costs 2 % of a core."""


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
        self._in_use = 0
        self._used = self._opened = time.monotonic()

    async def ask(self, body: Event) -> AsyncGenerator[Event]:
        """Answer a question; with a `conversation`, as a turn of that talk.

        Body: `question`; optional `docs` (absolute paths), `model`, `language` (of the
        interface), `conversation` ("new", "last" or a number), `client_pid`.
        """
        model = self.runtime.chat_model(body.get("model")).id
        question = _text(body, "question")
        conversation = self._conversation(body.get("conversation"))
        history = None if conversation is None else self.conversations.get(conversation).turns
        if conversation is not None:
            yield {"event": "conversation", "id": conversation}
        begun = time.monotonic()
        async with self._measured(body.get("client_pid")) as memory:
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
        self.cited.remember(told.citations)
        if conversation is not None:
            turns = Message("user", question), Message("assistant", told.text)
            self.conversations.add(conversation, *turns)
        told.timing["load_s"] = load_s
        told.timing["total_s"] = time.monotonic() - begun
        yield {"event": "done", "answer": _told(told, memory[0])}

    async def open(
        self, models: Sequence[str] = (), conversation: object = None
    ) -> AsyncGenerator[Event]:
        """Load models ahead of the first question: these by id or role, or every eager one.

        Raises:
            UnknownConversation: the one that is to go on is not there.
        """
        if conversation == "last":
            self.conversations.last()
        registry, runtime = self.runtime.registry, self.runtime
        embedder = runtime.embedder()
        if models:
            wanted = [embedder if m == "embedding" else runtime.chat_model(m) for m in models]
        else:
            eager = [m for m in registry.usable() if m.loads == "eager" and m.role != "primary"]
            wanted = [runtime.primary(), *(m for m in eager if m.role != "embedding"), embedder]
        for manifest in wanted:
            yield {"event": "phase", "name": "loading", "model": manifest.id}
            load_s = await (
                runtime.warm_embedder() if manifest == embedder else runtime.warm(manifest.id)
            )
            yield {"event": "loaded", "model": manifest.id, "load_s": load_s}
        yield {"event": "done"}

    async def ps(self) -> Event:
        """Who runs, with memory as measured now."""
        views = await self.runtime.views()
        models = [
            {
                "id": view.model,
                "role": view.role,
                "state": view.state,
                "pid": view.pid,
                "planned_bytes": view.need_bytes,
                "measured_bytes": view.held_bytes,
                "leases": view.leases,
                "idle_s": round(view.idle_s, 1),
                "loads": self.runtime.pool.counters.loads.get(view.model, 0),
            }
            for view in views
        ]
        return {
            "household": {
                "pid": os.getpid(),
                "uptime_s": round(self.uptime_s, 1),
                "measured_bytes": pss_bytes(os.getpid()),
            },
            "models": models,
            "total_bytes": sum(view.held_bytes for view in views),
        }

    async def metrics(self) -> bytes:
        """The same in Prometheus form."""
        return exposition(self.runtime, await self.runtime.views(), self.uptime_s)

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

    async def close(self) -> None:
        """End every model and close the database."""
        await self.runtime.close()
        self.store.close()

    def _conversation(self, wanted: object) -> int | None:
        if wanted is None:
            return None
        if wanted == "new":
            return self.conversations.begin()
        if wanted == "last":
            return self.conversations.last()
        if isinstance(wanted, int):
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

    @asynccontextmanager
    async def _measured(self, client_pid: object) -> AsyncIterator[list[int]]:
        """The most memory that household, workers and client hold together in the block."""
        peak = [0]

        def sample() -> None:
            family = {os.getpid(), *self.runtime.pool.pids()}
            if isinstance(client_pid, int):
                family.add(client_pid)
            peak[0] = max(peak[0], sum(pss_bytes(pid) for pid in family))

        async def watch() -> None:
            while True:
                await asyncio.to_thread(sample)
                await asyncio.sleep(_SAMPLE_S)

        watching = asyncio.create_task(watch())
        try:
            yield peak
            await asyncio.to_thread(sample)
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching


def _told(told: Answer, peak_bytes: int) -> Event:
    """An answer as scripts read it."""
    names = ("load_s", "retrieve_s", "first_token_s", "generate_s", "total_s")
    return {
        "answer": told.text,
        "answered": told.answered,
        "language": told.language,
        "citations": [asdict(citation) for citation in told.citations],
        "model": told.model,
        "template": told.template,
        "prompt": asdict(told.ledger),
        "timing": {name: round(told.timing.get(name, 0.0), 3) for name in names},
        "memory": {"peak_bytes": peak_bytes},
    }

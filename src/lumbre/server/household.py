"""What a household does for a person: ask, add documents, search, hear signals.

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
from lumbre.core.errors import BadArguments, UnknownConversation
from lumbre.core.generation import PromptProgress
from lumbre.core.messages import Message
from lumbre.knowledge.answer import Done, Phase, Settings, Text, answer
from lumbre.knowledge.cited import Cited
from lumbre.knowledge.index import Index
from lumbre.runtime import Runtime
from lumbre.server import signals
from lumbre.server.asked import language as _language
from lumbre.server.asked import paths as _paths
from lumbre.server.asked import text as _text
from lumbre.server.documents import Documents
from lumbre.server.metrics import exposition
from lumbre.server.models import Models
from lumbre.server.peak import measured
from lumbre.server.reply import reply
from lumbre.store import Store
from lumbre.triggers import Triggers

Event = dict[str, Any]


class Household:
    """Everything behind the socket."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.on_stop: Callable[[], None] = lambda: None
        self.store = Store(config.folders.database)
        self.conversations = Conversations(self.store)
        self.index = Index(self.store)
        self.runtime = Runtime(
            config,
            self.store,
            has_talk=self.conversations.has,
            removals=self.index.removals,
        )
        self.cited = Cited(self.store)
        self.documents = Documents(config, self.index, self.cited, self.runtime)
        self.triggers = Triggers(self.runtime, self.store)
        self.models = Models(config, self.runtime)
        self._in_use = 0
        self._used = time.monotonic()

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
        async with aclosing(self.models.load(wanted, insists=insists)) as loading:
            async for event in loading:
                yield event

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

    async def metrics(self) -> bytes:
        """The same in Prometheus form."""
        views = await self.runtime.views()
        return exposition(self.runtime, views, self.models.uptime_s, self.triggers.tally)

    def signal(self, body: Event) -> AsyncGenerator[Event]:
        """What follows from a signal. Body: `name`, `fields`; optional `language`.

        Raises:
            BadSignal: it does not exist, or a field of it is wrong.
        """
        return signals.hear(signals.asked(body), self.runtime, self.triggers, _language(body))

    def signalled(self, body: Event) -> Event:
        """What followed lately, and what the household before left unfinished."""
        return signals.lately(self.runtime, self.triggers, _language(body))

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

    def _family(self, client_pid: object) -> set[int]:
        """The processes that work on a client's question, it included."""
        ours = {os.getpid(), *self.runtime.pool.pids()}
        return ours | {client_pid} if isinstance(client_pid, int) else ours

"""A home in which a model is loaded and unloaded, for tests of talks."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from lumbre import backends
from lumbre.core.backend import WorkerSettings
from lumbre.core.generation import ChatRequest, Usage
from lumbre.core.messages import Message
from lumbre.core.model import Manifest, Part, WeightsFile
from lumbre.core.plan import Footprint
from lumbre.pool.lease import Lease, Prepared
from lumbre.pool.talks.states import States
from lumbre.pool.talks.talks import Talks
from lumbre.pool.worker import Worker, new_key

RULES = Message("system", "You are a gardener. You answer in one short sentence.")
OTHER_RULES = Message("system", "Answer as a sailor would.")
SEEDS = "My seeds are called Quetzal, Marmalade and Winter Moon. " * 3
FEW = 10
"""Tokens a template puts before any prompt: a worker's first token was drawn with them."""


_PARTS: tuple[Part, ...] = ("weights", "adapter")


class Bench:
    """One home in which a model is loaded and unloaded."""

    def __init__(
        self, folder: Path, weights: Path, bound_bytes: int = 2**30, adapter: Path | None = None
    ) -> None:
        self.folder = folder / "states"
        self.folder.mkdir(mode=0o700)
        self.logs = folder / "logs"
        self.files = {"weights": weights} | ({"adapter": adapter} if adapter else {})
        self.talks = Talks(States(self.folder, bound_bytes, disk_left_bytes=0))
        self.count = 0

    def prepared(self, slots: int, context_tokens: int, engine: str) -> Prepared:
        manifest = Manifest(
            id="smollm2", family="smollm2", role="primary", format="gguf",
            capabilities=("chat",), revision="1",
            files=tuple(
                WeightsFile(path=path.name, sha256=part[0] * 64, part=part)
                for part in _PARTS
                if (path := self.files.get(part))
            ),
        )  # fmt: skip
        settings = WorkerSettings(
            context_tokens=context_tokens,
            slots=slots,
            states_folder=str(self.folder),
            engine_path=os.environ.get("LUMBRE_TEST_LLAMA_SERVER", "")
            if engine == "llama_server"
            else "",
        )
        return Prepared(
            manifest=manifest,
            files=self.files,
            settings=settings,
            need={"cpu": Footprint(weights_bytes=1)},
            idle_s=None,
            slots=slots,
            engine=engine,
        )

    @asynccontextmanager
    async def loaded(
        self,
        slots: int = 1,
        context_tokens: int = 2048,
        engine: str = "llama_cpp",
        *,
        saves: bool = True,
    ) -> AsyncIterator["Loaded"]:
        """A worker for the time of the block; the talks in it are saved at its end."""
        self.count += 1
        number = self.count
        prepared = self.prepared(slots, context_tokens, engine)
        backend = backends.find(prepared.engine)
        launch = backend.launch(prepared.manifest, prepared.files, prepared.settings, new_key())
        worker = await Worker.start(launch, "smollm2", self.logs / f"{number}.log")
        connected: Any = backend.connect(prepared.manifest, worker.url, worker.key)
        try:
            await connected.ready()
            yield Loaded(self.talks, number, connected, prepared, worker)
            if saves:
                await self.talks.before_stop(number)
        finally:
            await connected.close()
            await worker.stop()
            self.talks.gone(number)

    def states(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


class Loaded:
    """A worker, and a way to talk with it."""

    def __init__(
        self, talks: Talks, number: int, engine: Any, prepared: Prepared, worker: Worker
    ) -> None:
        self.talks, self.number, self.engine, self.worker = talks, number, engine, worker
        self.lease = Lease(number, prepared, engine, 0.0)

    async def ask(
        self, conversation: int | None, messages: Sequence[Message], tokens: int = 6
    ) -> tuple[str, Usage]:
        request = ChatRequest(
            tuple(messages), tokens, temperature=0.0, seed=1, conversation=conversation
        )
        text, usage = "", None
        steps = self.talks.chat(self.lease, request)
        async with aclosing(steps) as deltas:
            async for delta in deltas:
                text += delta.text
                usage = delta.usage or usage
        assert usage is not None
        return text, usage


def opening(words: str = SEEDS, rules: Message = RULES) -> list[Message]:
    return [rules, Message("user", f"{words}What shall I plant first?")]


async def turns(loaded: Loaded, conversation: int | None, talk: list[Message], *more: str) -> Usage:
    """Go on with a talk; what was said is appended to it."""
    usage = None
    for said in more:
        talk.append(Message("user", said))
        text, usage = await loaded.ask(conversation, talk)
        talk.append(Message("assistant", text))
    assert usage is not None
    return usage

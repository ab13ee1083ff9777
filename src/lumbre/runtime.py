"""Chat and embed by role or by name; which process answers, and when, is the pool's affair.

The one object above the pool: it turns a request into a lease and its stream.
"""

import math
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lumbre.config import Config
from lumbre.config.settings import ChatModel
from lumbre.core.backend import Chats, Embeds
from lumbre.core.errors import CannotDo, LumbreError, UnknownModel
from lumbre.core.generation import ChatRequest, Delta
from lumbre.core.machine import Host
from lumbre.core.messages import Message
from lumbre.core.model import CHAT_ROLES, Manifest, Sampling
from lumbre.core.signals import Signal, SpeechBegan
from lumbre.hardware.memory import read_memory
from lumbre.planner.records import Records
from lumbre.planning import Planning
from lumbre.pool.guards.guards import Guards, Notice
from lumbre.pool.lease import Prepared, View
from lumbre.pool.own_thread import OwnThread
from lumbre.pool.pool import Pool
from lumbre.pool.talks.states import States
from lumbre.pool.talks.talks import Talks
from lumbre.pool.tempo import Tempo
from lumbre.preparing import Preparing
from lumbre.registry.folder import Registry
from lumbre.registry.weights import Weights
from lumbre.store import Store

_EMBED_BATCH = 256
"""Texts in one request to an encoder: bounds the size of a request, not the work."""

_OFFER_S = 60.0
"""Between two looks at who could have a resident place, while nobody signals anything."""

_FULL_SHARE = 0.9
"""Of a context, from which on what a worker holds is taken for what it holds at most."""


@dataclass(slots=True)
class Spent:
    """What models have done since the household opened, by model."""

    requests: dict[str, int] = field(default_factory=dict)
    embedded_texts: dict[str, int] = field(default_factory=dict)


class Runtime:
    """Every model of the household, ready to be asked."""

    def __init__(
        self,
        config: Config,
        store: Store,
        machine: Callable[[], Host] | None = None,
        has_talk: Callable[[int], bool] = lambda conversation: True,
        removals: Callable[[], int] = lambda: 0,
    ) -> None:
        """`has_talk`: whether a conversation was not deleted; `removals`: how often documents
        were, by any process. Both are asked in threads."""
        self.config = config
        self.registry = Registry(config.folders.registry)
        self.weights = Weights(config.folders.weights, store)
        self.spent = Spent()
        self.tempo = Tempo()
        self.planning = Planning(config, Records(store), self.registry, self.weights)
        self._preparing = Preparing(config, self.planning, self.weights, machine)
        self._preparer = OwnThread("prepare")  # cold models one after the other
        self._opened = time.monotonic()
        self._uses: dict[str, int] = {}
        self._prepared: dict[str, Prepared] = {}
        kept_bytes = config.settings.pool.saved_state_bytes
        self.pool = Pool(
            self._prepare,
            read_memory,
            config.folders.logs,
            limits=self._preparing.limits(),
            cards=self._preparing.cards(),
            start_timeout_s=config.settings.worker.start_timeout_s,
            measured=self._preparing.learn,
            talks=Talks(
                States(config.folders.states, kept_bytes, is_there=has_talk, removals=removals)
            ),
        )
        self.guards = Guards(config.settings, self._earn)
        self._offered = -math.inf

    def primary(self) -> Manifest:
        """The model that answers when nobody names one."""
        return self.registry.primary(self.config.settings.llm.primary.id or None)

    def embedder(self) -> Manifest:
        """The model that turns text into vectors."""
        wanted = self.config.settings.embeddings.main.id
        if wanted:
            return self.registry.get(wanted)
        for manifest in self.registry.for_role("embedding"):
            return manifest
        raise UnknownModel(name="embedding", known="use-multilingual-v3")

    def chat_model(self, wanted: str | None = None) -> Manifest:
        """The chat model of this id or role; the primary when none is named.

        While speech is busy for long, a lightweight one answers for a primary not named by id.

        Raises:
            UnknownModel: nothing is called so.
            CannotDo: it does not chat.
        """
        is_primary = wanted in (None, "", "primary")
        lighter = self._lighter() if is_primary and self.guards.may_replace else None
        return lighter or self._chat_model(wanted)

    def _chat_model(self, wanted: str | None) -> Manifest:
        """The same, whatever gives way to what."""
        if wanted in (None, "", "primary"):
            return self.primary()
        chosen = self.config.settings.llm.lightweight.id if wanted == "lightweight" else ""
        manifest = self.registry.get(chosen) if chosen else self.registry.find(str(wanted))[0]
        if "chat" not in manifest.capabilities:
            raise CannotDo(model=manifest.id, what="chat")
        return manifest

    def any_model(self, wanted: str) -> Manifest:
        """The model of this id or role, whatever it can do.

        Raises:
            UnknownModel: nothing is called so.
        """
        if wanted == "embedding":
            return self.embedder()
        manifest = self.registry.find(wanted)[0]
        return self._chat_model(wanted) if "chat" in manifest.capabilities else manifest

    def window_tokens(self, model: str | None = None) -> int:
        """Tokens one conversation with this model may hold now, answer included."""
        manifest = self.chat_model(model)
        tokens = self.planning.context_tokens(manifest)
        return self.guards.narrowed(tokens) if manifest.id == self.primary().id else tokens

    def sampling(self, model: str | None = None) -> Sampling:
        """How a chat model talks: as the settings say, else its manifest, else our defaults."""
        manifest = self.chat_model(model)
        section, wish = self._wish(manifest)

        def chosen(name: str) -> Any:
            said = getattr(manifest.sampling, name)
            is_set = f"llm.{section}.{name}" in self.config.origins
            return getattr(wish, name) if is_set or said is None else said

        return Sampling(
            temperature=chosen("temperature"),
            top_p=chosen("top_p"),
            max_output_tokens=chosen("max_output_tokens"),
        )

    @property
    def embedding_version(self) -> str:
        """Names the vectors' model and bytes: others are not comparable with them."""
        manifest = self.embedder()
        return f"{manifest.id}@{(manifest.checksum_sha256 or '')[:16]}"

    async def warm(self, model: str | None = None) -> float:
        """Have a chat model loaded. The seconds this took: 0 when it already was.

        Raises:
            ModelDisabled: it is left out for now.
        """
        manifest = self.chat_model(model)
        if refusal := self.guards.disabled(manifest.id):
            raise refusal
        return await self._warm(manifest)

    async def signal(self, signal: Signal) -> list[Notice]:
        """Hear what some part has to tell; what followed from it at once. Triggers do no work."""
        heard = self.guards.tell(signal)
        if isinstance(signal, SpeechBegan):
            await self._know_lighter()
        if self.guards.wants_candidates:
            heard += self.guards.offer(await self._candidates())
        return heard

    async def warm_embedder(self) -> float:
        """Have the embedding model loaded. The seconds this took: 0 when it already was."""
        return await self._warm(self.embedder())

    async def load(self, manifest: Manifest, *, insists: bool = False) -> float:
        """Have a model loaded; `insists`: also one that failed a moment ago. The seconds taken."""
        return await self._warm(manifest, insists=insists)

    async def _warm(self, manifest: Manifest, *, insists: bool = False) -> float:
        if self.pool.is_ready(manifest.id):
            return 0.0
        begun = time.monotonic()
        async with self.pool.lease(manifest.id, insists=insists):
            return time.monotonic() - begun

    async def chat(
        self, request: ChatRequest, model: str | None = None, *, is_task: bool = True
    ) -> AsyncGenerator[Delta, None]:
        """The answer in deltas; the last has a `finish`. Closing the iterator stops the engine.

        `is_task`: it counts where the share of long contexts is told.

        Raises:
            LumbreError: no room, no weights, a prompt too long, or an engine that broke.
            ModelDisabled: the model is left out for now.
        """
        manifest = self.chat_model(model)
        with self.guards.following(
            manifest, is_optional=self._is_optional(manifest), is_task=is_task
        ) as course:
            async with self.pool.lease(manifest.id) as lease:
                if not isinstance(lease.engine, Chats):
                    raise CannotDo(model=manifest.id, what="chat")
                course.grant()
                _add(self.spent.requests, manifest.id, 1)
                _add(self._uses, manifest.id, 1)
                filled_tokens = 0
                async with aclosing(self.pool.talks.chat(lease, request)) as deltas:
                    async for delta in deltas:
                        course.saw(delta)
                        if usage := delta.usage:
                            filled_tokens = usage.prompt_tokens + usage.output_tokens
                        if delta.text:
                            self.tempo.count(manifest.id, time.monotonic())
                        yield delta
                if filled_tokens >= _FULL_SHARE * self.planning.context_tokens(manifest):
                    await self.pool.measure(manifest.id, is_full=True)
        await self._offer_places()

    async def count(self, messages: Sequence[Message], model: str | None = None) -> int:
        """Tokens of the prompt these messages become, by the model's own tokenizer."""
        manifest = self.chat_model(model)
        async with self.pool.lease(manifest.id) as lease:
            if not isinstance(lease.engine, Chats):
                raise CannotDo(model=manifest.id, what="chat")
            return await lease.engine.count(messages)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts: (len(texts), dim), each of length one."""
        manifest = self.embedder()
        rows: list[NDArray[np.float32]] = []
        for start in range(0, len(texts), _EMBED_BATCH):
            async with self.pool.lease(manifest.id) as lease:
                if not isinstance(lease.engine, Embeds):
                    raise CannotDo(model=manifest.id, what="embed")
                vectors = await lease.engine.embed(texts[start : start + _EMBED_BATCH])
            rows += [np.frombuffer(vector, dtype=np.float32) for vector in vectors]
        _add(self.spent.embedded_texts, manifest.id, len(texts))
        _add(self._uses, manifest.id, 1)
        return np.stack(rows) if rows else np.zeros((0, 0), dtype=np.float32)

    async def forget(self, conversation: int) -> None:
        """Delete what engines had read of a conversation."""
        await self.pool.talks.forget(conversation)

    async def forget_all(self) -> None:
        """Delete what engines had read of every conversation."""
        await self.pool.talks.forget_all()

    async def views(self) -> list[View]:
        """Every worker and its measured memory."""
        return await self.pool.views()

    async def close(self) -> None:
        """End every worker; requests in hand are finished first."""
        await self.pool.close()
        self._preparer.close()
        every = {manifest.id: 0 for manifest in self.registry.usable()} | self._uses
        self.planning.records.count_use(every, time.monotonic() - self._opened)

    async def _prepare(self, model: str) -> Prepared:
        primary = self.primary()
        manifest = primary if model == primary.id else self.registry.get(model)
        known = self._prepared.get(model)
        if known and known.manifest == manifest and self.pool.is_loaded(model):
            return known  # it runs: its files were checked when it was started
        made = await self._preparer.run(self._prepare_now, manifest)
        self._prepared[model] = made
        return made

    def _prepare_now(self, manifest: Manifest) -> Prepared:
        return self._preparing.prepare(manifest, self.pool.held_bytes(), self.pool.pids())

    def _is_optional(self, manifest: Manifest) -> bool:
        """Whether the household answers without it."""
        is_extra = manifest.role == "optional_moe" or manifest.loads == "on_demand"
        return is_extra and manifest.id != self.primary().id

    def _lightweights(self) -> list[Manifest]:
        """Those that could answer for the primary: the settings' choice, else by role."""
        chosen = self.config.settings.llm.lightweight.id
        return [
            manifest
            for manifest in self.registry.usable()
            if (manifest.id == chosen if chosen else manifest.role == "lightweight")
            and "chat" in manifest.capabilities
        ]

    def _lighter(self) -> Manifest | None:
        """One of them that can answer now: loaded or with room, and not left out."""
        return next(filter(self._may_run, self._lightweights()), None)

    async def _know_lighter(self) -> None:
        """Find out what a lightweight model needs, before somebody wants it in its place."""
        if self.config.settings.strain.answer != "lightweight":
            return
        await self.pool.look()
        for manifest in self._lightweights():
            if manifest.id not in self._prepared:
                with suppress(LumbreError):  # whoever asks for it is told why
                    await self._prepare(manifest.id)

    def _may_run(self, manifest: Manifest) -> bool:
        is_resting = manifest.id in [resting.model for resting in self.pool.resting()]
        if self.guards.off(manifest.id) or is_resting:
            return False
        if self.pool.is_loaded(manifest.id):
            return True
        prepared = self._prepared.get(manifest.id)
        return prepared is not None and self.pool.fits(prepared)

    async def _offer_places(self) -> None:
        """Tell the guards who could have a resident place, if that may matter; not too often."""
        now = time.monotonic()
        if self.guards.wants_candidates and now >= self._offered + _OFFER_S:
            self._offered = now
            self.guards.offer(await self._candidates())

    async def _candidates(self) -> list[tuple[Manifest, bool]]:
        """Who could meet a guard's demand, optional_moe first, and whether it fits to stay."""
        found = [
            manifest
            for manifest in self.registry.usable()
            if manifest.role in CHAT_ROLES
            and self._is_optional(manifest)
            and self.guards.may_earn(manifest)
        ]
        found.sort(key=lambda manifest: manifest.role != "optional_moe")
        await self.pool.look()
        prepared = {}
        for manifest in [*found, *self._staying()]:
            with suppress(LumbreError):  # whoever asks for it is told why
                prepared[manifest.id] = await self._prepare(manifest.id)
        staying = [prepared[m.id] for m in self._staying() if m.id in prepared]
        able = [manifest for manifest in found if manifest.id in prepared]
        return [(m, self.pool.fits(prepared[m.id], staying)) for m in able]

    def _staying(self) -> list[Manifest]:
        """Models that are to stay loaded, be they asked for yet or not."""
        primary = self.primary().id
        usable = self.registry.usable()
        return [
            m for m in usable if m.id == primary or (m.loads == "eager" and m.role != "primary")
        ]

    def _earn(self, model: str, why: str | None) -> None:
        self.pool.earn(model, has_earned=why is not None)

    def _wish(self, manifest: Manifest) -> tuple[str, ChatModel]:
        """Which section of the settings speaks of a model, and what it says."""
        llm = self.config.settings.llm
        if manifest.role in ("lightweight", "micro"):
            return "lightweight", llm.lightweight
        return "primary", llm.primary


def _add(table: dict[str, int], key: str, amount: int) -> None:
    table[key] = table.get(key, 0) + amount

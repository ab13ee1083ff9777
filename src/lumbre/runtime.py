"""Chat and embed by role or by name; which process answers, and when, is the pool's affair.

The one object above the pool. It turns a manifest into something that can be started
(verified files, settings, need of memory) and a request into a lease and its stream.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lumbre.config import Config
from lumbre.config.settings import ChatModel
from lumbre.core.backend import Chats, Embeds, WorkerSettings
from lumbre.core.errors import CannotDo, UnknownModel, WeightsMissing
from lumbre.core.generation import ChatRequest, Delta
from lumbre.core.machine import CPU, Host
from lumbre.core.messages import Message
from lumbre.core.model import CHAT_ROLES, RESIDENT_ROLES, Manifest, Sampling
from lumbre.core.plan import Choice, Footprint
from lumbre.engines.find import Found
from lumbre.hardware.cores import usable_cores
from lumbre.hardware.memory import read_memory
from lumbre.hardware.nvidia import Card, read_graphics
from lumbre.hardware.usage import family
from lumbre.planner.footprint import batch_tokens
from lumbre.planner.records import Records
from lumbre.planner.speed import Pace
from lumbre.planner.wish import Wish
from lumbre.planning import Planning, Wanted, card_caps, this_machine_of
from lumbre.pool.lease import Limits, Measured, Prepared, View
from lumbre.pool.pool import Pool
from lumbre.pool.tempo import Tempo
from lumbre.pool.threads import share
from lumbre.registry.folder import Registry
from lumbre.registry.weights import Weights
from lumbre.store import Store

_EMBED_BATCH = 256
"""Texts in one request to an encoder: bounds the size of a request, not the work."""

_QUEUED = 64
"""Requests an encoder may have before it; it serves them one after the other itself."""

_FULL_SHARE = 0.9
"""Of a context, from which on what a worker holds is taken for what it holds at most."""

_UNKNOWN_LOAD_S = 2.0
"""To load a model of which nothing is known: those are small."""

_LLAMA_CPP = ("llama_cpp", "llama_server")
"""Engines that more than one build may run."""


@dataclass(slots=True)
class Spent:
    """What models have done since the household opened, by model."""

    requests: dict[str, int] = field(default_factory=dict)
    prompt_tokens: dict[str, int] = field(default_factory=dict)
    cached_tokens: dict[str, int] = field(default_factory=dict)
    output_tokens: dict[str, int] = field(default_factory=dict)
    embedded_texts: dict[str, int] = field(default_factory=dict)


class Runtime:
    """Every model of the household, ready to be asked."""

    def __init__(
        self, config: Config, store: Store, machine: Callable[[], Host] | None = None
    ) -> None:
        self.config = config
        self.registry = Registry(config.folders.registry)
        self.weights = Weights(config.folders.weights, store)
        self.spent = Spent()
        self.tempo = Tempo()
        self.planning = Planning(config, Records(store), self.registry, self.weights)
        self._machine = machine or partial(this_machine_of, config)
        self._is_described = machine is not None
        self._opened = time.monotonic()
        self._uses: dict[str, int] = {}
        self._prepared: dict[str, Prepared] = {}
        self.pool = Pool(
            self._prepare,
            read_memory,
            config.folders.logs,
            limits=self._limits(),
            cards=self._cards if self._machine().cards else None,
            start_timeout_s=config.settings.worker.start_timeout_s,
            measured=self._learn,
        )

    def _limits(self) -> Limits:
        """What the settings let the pool use of the machine."""
        memory, pool = self.config.settings.memory, self.config.settings.pool
        cards = [card.id for card in self._machine().cards]
        reserve = {CPU: memory.reserve_bytes} | dict.fromkeys(cards, memory.reserve_vram_bytes)
        caps = card_caps(self.config)
        if memory.max_ram_gb:
            caps[CPU] = round(memory.max_ram_gb * 1e9)
        return Limits(
            reserve=reserve,
            caps=caps,
            max_concurrent_llms=memory.max_concurrent_llms,
            threads=usable_cores(),
            card_permits=pool.card_permits,
            keep_while_fits=pool.keep_while_fits,
            pinned=frozenset(pool.pinned),
        )

    def _cards(self) -> Sequence[Card]:
        """The graphics cards as they are now."""
        if self._is_described:
            return [Card(card, card.uuid or "") for card in self._machine().cards]
        return read_graphics(self.config.visible_cards).cards

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

        Raises:
            UnknownModel: nothing is called so.
            CannotDo: it does not chat.
        """
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
        return self.chat_model(wanted) if "chat" in manifest.capabilities else manifest

    def window_tokens(self, model: str | None = None) -> int:
        """Tokens one conversation with this model may hold, answer included."""
        return self.planning.context_tokens(self.chat_model(model))

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
        """Have a chat model loaded. The seconds this took: 0 when it already was."""
        return await self._warm(self.chat_model(model))

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
        self, request: ChatRequest, model: str | None = None
    ) -> AsyncGenerator[Delta, None]:
        """The answer in deltas; the last has a `finish`. Closing the iterator stops the engine.

        Raises:
            LumbreError: no room, no weights, a prompt too long, or an engine that broke.
        """
        manifest = self.chat_model(model)
        async with self.pool.lease(manifest.id) as lease:
            if not isinstance(lease.engine, Chats):
                raise CannotDo(model=manifest.id, what="chat")
            _add(self.spent.requests, manifest.id, 1)
            _add(self._uses, manifest.id, 1)
            filled_tokens = 0
            async with aclosing(lease.engine.chat(request)) as deltas:
                async for delta in deltas:
                    if usage := delta.usage:
                        _add(self.spent.prompt_tokens, manifest.id, usage.prompt_tokens)
                        _add(self.spent.cached_tokens, manifest.id, usage.cached_tokens)
                        _add(self.spent.output_tokens, manifest.id, usage.output_tokens)
                        filled_tokens = usage.prompt_tokens + usage.output_tokens
                    if delta.text:
                        self.tempo.count(manifest.id, time.monotonic())
                    yield delta
            if filled_tokens >= _FULL_SHARE * self.planning.context_tokens(manifest):
                await self.pool.measure(manifest.id, is_full=True)

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

    async def views(self) -> list[View]:
        """Every worker and its measured memory."""
        return await self.pool.views()

    async def close(self) -> None:
        """End every worker; requests in hand are finished first."""
        await self.pool.close()
        every = {manifest.id: 0 for manifest in self.registry.usable()} | self._uses
        self.planning.records.count_use(every, time.monotonic() - self._opened)

    async def _prepare(self, model: str) -> Prepared:
        primary = self.primary()
        manifest = primary if model == primary.id else self.registry.get(model)
        known = self._prepared.get(model)
        if known and known.manifest == manifest and self.pool.is_loaded(model):
            return known  # it runs: its files were checked when it was started
        made = await asyncio.to_thread(self._prepare_now, manifest)
        self._prepared[model] = made
        return made

    def _prepare_now(self, manifest: Manifest) -> Prepared:
        settings = self.config.settings
        files = self.weights.files_for_use(manifest, skip_checksum=settings.weights.skip_checksum)
        placed, needed = self._place(manifest)
        engine = self.planning.engine(manifest, placed.host)
        worker = self._settings(manifest, placed, engine)
        idle_s = manifest.idle_unload_seconds or settings.pool.idle_s
        return Prepared(
            manifest=manifest,
            files=files,
            settings=worker,
            need=needed,
            idle_s=None if manifest.loads == "eager" else idle_s,
            slots=worker.slots if manifest.role in CHAT_ROLES else _QUEUED,
            engine=engine.backend if manifest.engine in _LLAMA_CPP else "",
            plan=placed,
            load_s=_expected_load_s(placed, needed),
            requests_per_hour=placed.wish.requests_per_hour,
        )

    def _place(self, manifest: Manifest) -> tuple["_Placed", dict[str, Footprint]]:
        """How the plan of this moment runs a model, and what it then holds of each device.

        One that the plan refuses is asked for in its smallest form: the pool then says what
        is missing, or finds that memory has come free.

        Raises:
            BadWeights: its file cannot be believed.
        """
        host = self._machine()
        wanted = self.planning.wanted(host)
        wish = next((w for w in wanted.wishes if w.id == manifest.id), None)
        if wish is None:
            wish = self.planning.wish(manifest, host)
        if wish is None:
            raise WeightsMissing(model=manifest.id)
        held = {CPU: self.pool.held_bytes()}
        if host.cards:
            held |= self.planning.held_on_cards(self.pool.pids())
        plan = self.planning.plan(wanted, host, held)
        planned = plan.planned(manifest.id)
        if planned is not None:
            placements, choice = planned.placements, planned.choice
        else:
            choice = _smallest(wish)
            with self.planning.estimating(wanted) as estimate:
                placements, _ = estimate(wish, choice, host)
        needed = {placement.device: placement.footprint for placement in placements}
        return _Placed(wish, choice, wanted, host), needed

    def _learn(self, prepared: Prepared, seen: Measured) -> None:
        """Correct the next plan by what a worker was seen to hold."""
        placed = prepared.plan
        if not isinstance(placed, _Placed):
            return
        held = {CPU: seen.beside_bytes}
        if placed.choice.layers:
            held |= self.planning.held_on_cards(family(seen.pid))
        with self.planning.estimating(placed.wanted) as estimate:
            estimate.learn(placed.wish, placed.choice, placed.host, held, is_full=seen.is_full)

    def _settings(self, manifest: Manifest, placed: "_Placed", engine: Found) -> WorkerSettings:
        choice = placed.choice
        worker = self.config.settings.worker
        threads = share(
            usable_cores(),
            worker.prompt_threads,
            worker.generation_threads,
            small=manifest.role in RESIDENT_ROLES,
        )
        return WorkerSettings(
            context_tokens=choice.context_tokens,
            slots=choice.slots,
            prompt_threads=threads.prompt,
            generation_threads=threads.generation,
            load_mode=choice.load_mode,
            extra_buffers=choice.extra_buffers,
            cache_ram_mib=worker.cache_ram_mib,
            kv_type=choice.kv_type,
            gpu_layers=choice.card_layers,
            devices=tuple(device for device, _ in choice.layers),
            card_uuids=_uuids(placed.host, choice),
            tensor_split=tuple(count for _, count in choice.layers),
            expert_layers_on_cpu=_first_experts(placed.wish, choice),
            engine_path=engine.path if manifest.engine in _LLAMA_CPP else "",
            batch_tokens=batch_tokens(placed.wish, choice),
        )

    def _wish(self, manifest: Manifest) -> tuple[str, ChatModel]:
        """Which section of the settings speaks of a model, and what it says."""
        llm = self.config.settings.llm
        if manifest.role in ("lightweight", "micro"):
            return "lightweight", llm.lightweight
        return "primary", llm.primary


@dataclass(frozen=True, slots=True)
class _Placed:
    """How a model was last prepared."""

    wish: Wish
    choice: Choice
    wanted: Wanted
    host: Host


def _first_experts(wish: Wish, choice: Choice) -> int:
    """Layers from the very first on whose experts stay in main memory: engines count so."""
    if wish.facts is None or not choice.expert_layers_on_cpu:
        return 0
    return max(0, wish.facts.layers + 1 - choice.card_layers) + choice.expert_layers_on_cpu


def _uuids(host: Host, choice: Choice) -> tuple[str, ...]:
    """All of them, or none."""
    named = [host.device(device).uuid for device, _ in choice.layers]
    return tuple(uuid for uuid in named if uuid) if all(named) else ()


def _expected_load_s(placed: _Placed, needed: Mapping[str, Footprint]) -> float:
    """Seconds to load a model that was never loaded here."""
    if placed.wish.facts is None:
        return _UNKNOWN_LOAD_S
    weights_bytes = {device: footprint.weights_bytes for device, footprint in needed.items()}
    on_cards = sum(size for device, size in weights_bytes.items() if device != CPU)
    return Pace(placed.wish, placed.host).load_s(sum(weights_bytes.values()), on_cards)


def _smallest(wish: Wish) -> Choice:
    return Choice(
        context_tokens=wish.context_tokens,
        slots=wish.slots,
        kv_type=wish.kv_types[-1],
        load_mode=wish.load_modes[-1],
        extra_buffers=wish.extra_buffers[-1],
    )


def _add(table: dict[str, int], key: str, amount: int) -> None:
    table[key] = table.get(key, 0) + amount

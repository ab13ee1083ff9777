"""A manifest made something that can be started: verified files, settings, need of memory.

The plan of the whole household on the machine as it is now says how each of its workers
runs; what a worker then holds corrects the next plan.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from lumbre.config import Config
from lumbre.config.vram import card_caps
from lumbre.core.backend import WorkerSettings
from lumbre.core.errors import WeightsMissing
from lumbre.core.machine import CPU, Host
from lumbre.core.model import CHAT_ROLES, RESIDENT_ROLES, Manifest
from lumbre.core.plan import Choice, Footprint
from lumbre.engines.find import Found
from lumbre.hardware.cores import usable_cores
from lumbre.hardware.nvidia import Card, read_graphics
from lumbre.hardware.usage import family
from lumbre.planner.footprint import batch_tokens
from lumbre.planner.speed import Pace
from lumbre.planner.wish import Wish
from lumbre.planning import Planning, Wanted, this_machine_of
from lumbre.pool.lease import Limits, Measured, Prepared
from lumbre.pool.threads import share
from lumbre.registry.weights import Weights

_QUEUED = 64
"""Requests an encoder may have before it; it serves them one after the other itself."""

_LLAMA_CPP = ("llama_cpp", "llama_server")
"""Engines that more than one build may run."""

_UNKNOWN_LOAD_S = 2.0
"""To load a model of which nothing is known: those are small."""


class Preparing:
    """For one home and one machine."""

    def __init__(
        self,
        config: Config,
        planning: Planning,
        weights: Weights,
        machine: Callable[[], Host] | None = None,
    ) -> None:
        self._config = config
        self._planning = planning
        self._weights = weights
        self._machine = machine or partial(this_machine_of, config)
        self._is_described = machine is not None

    def limits(self) -> Limits:
        """What the settings let the pool use of the machine."""
        memory, pool = self._config.settings.memory, self._config.settings.pool
        cards = [card.id for card in self._at_start.cards]
        reserve = {CPU: memory.reserve_bytes} | dict.fromkeys(cards, memory.reserve_vram_bytes)
        caps = card_caps(self._config)
        if memory.max_ram_gb:
            caps[CPU] = round(memory.max_ram_gb * 1e9)
        return Limits(
            reserve=reserve,
            caps=caps,
            max_concurrent_llms=memory.max_concurrent_llms,
            count_remote=memory.count_remote,
            threads=usable_cores(),
            card_permits=pool.card_permits,
            keep_while_fits=pool.keep_while_fits,
            pinned=frozenset(pool.pinned),
        )

    def cards(self) -> Callable[[], Sequence[Card]] | None:
        """Looks at the graphics cards; None where there is none to look at."""
        return self._cards if self._at_start.cards else None

    @cached_property
    def _at_start(self) -> Host:
        """The machine, for which cards there are: asking their driver takes time."""
        return self._machine()

    def _cards(self) -> Sequence[Card]:
        if self._is_described:
            return [Card(card, card.uuid or "") for card in self._machine().cards]
        return read_graphics(self._config.visible_cards).cards

    def prepare(
        self, manifest: Manifest, held_bytes: int = 0, pids: Collection[int] = ()
    ) -> Prepared:
        """`held_bytes` is what our workers hold of main memory now, `pids` are their processes.

        To be called once at a time: several cold models would each ask the engine the same.

        Raises:
            WeightsMissing, WrongChecksum, BadWeights: its files are not what they have to be.
        """
        settings = self._config.settings
        files = self._weights.files_for_use(manifest, skip_checksum=settings.weights.skip_checksum)
        placed, needed = self._place(manifest, held_bytes, pids)
        engine = self._planning.engine(manifest, placed.host)
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

    def _place(
        self, manifest: Manifest, held_bytes: int, pids: Collection[int]
    ) -> tuple["_Placed", dict[str, Footprint]]:
        """How the plan of this moment runs a model, and what it then holds of each device.

        One that the plan refuses is asked for in its smallest form: the pool then says what
        is missing, or finds that memory has come free.

        Raises:
            BadWeights: its file cannot be believed.
        """
        host = self._machine()
        wanted = self._planning.wanted(host)
        wish = next((w for w in wanted.wishes if w.id == manifest.id), None)
        if wish is None:
            wish = self._planning.wish(manifest, host)
        if wish is None:
            raise WeightsMissing(model=manifest.id)
        held = {CPU: held_bytes}
        if host.cards:
            held |= self._planning.held_on_cards(pids)
        plan = self._planning.plan(wanted, host, held)
        planned = plan.planned(manifest.id)
        if planned is not None:
            placements, choice = planned.placements, planned.choice
        else:
            choice = _smallest(wish)
            with self._planning.estimating(wanted) as estimate:
                placements, _ = estimate(wish, choice, host)
        needed = {placement.device: placement.footprint for placement in placements}
        return _Placed(wish, choice, wanted, host), needed

    def learn(self, prepared: Prepared, seen: Measured) -> None:
        """Correct the next plan by what a worker was seen to hold."""
        placed = prepared.plan
        if not isinstance(placed, _Placed):
            return
        held = {CPU: seen.beside_bytes}
        if placed.choice.layers:
            held |= self._planning.held_on_cards(family(seen.pid))
        with self._planning.estimating(placed.wanted) as estimate:
            estimate.learn(placed.wish, placed.choice, placed.host, held, is_full=seen.is_full)

    def _settings(self, manifest: Manifest, placed: "_Placed", engine: Found) -> WorkerSettings:
        choice = placed.choice
        worker = self._config.settings.worker
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
            warm_up=placed.wish.facts is not None and placed.wish.facts.experts > 0,
            engine_path=engine.path if manifest.engine in _LLAMA_CPP else "",
            batch_tokens=batch_tokens(placed.wish, choice),
            states_folder=str(self._config.folders.states) if manifest.engine in _LLAMA_CPP else "",
        )


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

"""What this household will load, and how: its manifests, its settings and its machine, made a plan.

The one place where the three meet: manifests become wishes, the machine becomes limits,
and `lumbre.planner` decides. Nothing is loaded here, and nothing is fetched.
"""

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from lumbre.config import Config
from lumbre.config.settings import ChatModel
from lumbre.config.vram import card_caps
from lumbre.core.backend import KvType, LoadMode
from lumbre.core.errors import LumbreError, WeightsGone
from lumbre.core.machine import CPU, Host
from lumbre.core.model import CHAT_ROLES, Facts, Manifest
from lumbre.core.plan import Plan, Refused
from lumbre.engines.choose import AUTO, choose_for
from lumbre.engines.find import Found, built_in, find
from lumbre.formats.gguf import read_facts
from lumbre.hardware.nvidia import held_on, read_graphics
from lumbre.hardware.probe import VISIBLE, this_machine
from lumbre.planner.estimate import Estimator, Here
from lumbre.planner.footprint import WITHOUT_FORMULA_BYTES
from lumbre.planner.oracle import Oracle
from lumbre.planner.place import place
from lumbre.planner.records import Records
from lumbre.planner.wish import Wish
from lumbre.registry.folder import Registry
from lumbre.registry.known import find_known
from lumbre.registry.weights import Weights
from lumbre.store import Store
from lumbre.words import Sentence

HOUSEHOLD_BYTES = 120 * 2**20
"""Of the household's own process. Source: 77 MB measured after work, every model unloaded."""
LEAST_CONTEXT_TOKENS = 512
"""Where the most that fits is asked for: less than this is no talk."""
_BY_ASKING = ("classifier", "router")
"""Roles a model that talks may have: it is asked short things."""
_KV_TYPES: tuple[KvType, ...] = ("f16", "q8_0")
_LOAD_MODES: tuple[LoadMode, ...] = ("mmap", "read")
Context = int | Literal["max"] | None
"""Tokens every chat model is to have; max: the most that fits; None: as the settings say."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a plan is made for."""

    wishes: tuple[Wish, ...] = ()
    here: Mapping[str, Here] = field(default_factory=dict)
    """Models whose weights are on this machine."""
    remote: tuple[str, ...] = ()
    """Models that run elsewhere."""
    refused: tuple[Refused, ...] = ()
    """Models of which nothing is known to plan with, and why."""
    cut: Mapping[str, Sentence] = field(default_factory=dict)
    """Models whose context the settings want longer than they were trained for."""


class Planning:
    """Plans for one home, as its manifests and files are at the moment of asking."""

    def __init__(
        self, config: Config, records: Records, registry: Registry, weights: Weights
    ) -> None:
        self.records = records
        self._engines: tuple[tuple[int, bool], tuple[Found, ...]] | None = None
        self._config = config
        self._registry = registry
        self._weights = weights

    def wanted(
        self, host: Host, models: Sequence[str] | None = None, context: Context = None
    ) -> Wanted:
        """The wishes of these models, by id, role or known name; of every manifest when none.

        Raises:
            UnknownModel: a name that is neither in the registry nor known.
        """
        found = Wanted()
        for named in self._named(models):
            if named.format == "remote":
                found = replace(found, remote=(*found.remote, named.id))
            else:
                found = self._with(found, named, host, context)
        return found

    def wish(self, manifest: Manifest, host: Host, context: Context = None) -> Wish | None:
        """What a manifest asks for; None where neither a file nor the known models tell.

        Raises:
            BadWeights: its file cannot be believed.
            WeightsGone: it lay outside the weights folder and is not there any more.
        """
        worker, origins = self._config.settings.worker, self._config.origins
        self._weights.refuse_gone(manifest)
        facts = self._facts(manifest)
        if facts is None and manifest.format == "gguf":
            return None
        wish = Wish(
            id=manifest.id,
            role=manifest.role,
            facts=facts,
            fixed_bytes=0 if facts else self._fixed_bytes(manifest),
            kv_types=(worker.kv_type,) if "worker.kv_type" in origins else _KV_TYPES,
            load_modes=(worker.load_mode,) if "worker.load_mode" in origins else _LOAD_MODES,
            extra_buffers=(
                (worker.extra_buffers,) if "worker.extra_buffers" in origins else (True, False)
            ),
            cache_ram_mib=worker.cache_ram_mib,
            embeds=manifest.role == "embedding" or manifest.embedding is True,
            eager=manifest.loads == "eager" or manifest.id in self._config.settings.pool.pinned,
            runs_on_cards=facts is not None and self._uses_cards(manifest, host),
            beside_bytes=self._beside_bytes(manifest),
            requests_per_hour=self._use(manifest),
            idle_s=manifest.idle_unload_seconds or self._config.settings.pool.idle_s,
        )
        return _with_context(wish, context, self.context_tokens(manifest))

    def context_tokens(self, manifest: Manifest) -> int:
        """Of the whole worker: as the settings say for chat models, else as its manifest."""
        trained_tokens = manifest.context_length or 0
        if manifest.role not in (*CHAT_ROLES, *_BY_ASKING):
            return trained_tokens
        _, settings = self._chat_settings(manifest)
        return min(settings.context_length, trained_tokens or settings.context_length)

    def _set_tokens(self, manifest: Manifest) -> int:
        """What a person wrote for a chat model's context, be it too much; 0: nothing."""
        section, settings = self._chat_settings(manifest)
        key = f"llm.{section}.context_length"
        is_set = manifest.role in CHAT_ROLES and key in self._config.origins
        return settings.context_length if is_set else 0

    def _chat_settings(self, manifest: Manifest) -> tuple[str, ChatModel]:
        """Which section of the settings speaks of a model that talks, and what it says."""
        llm = self._config.settings.llm
        if manifest.role in ("lightweight", "micro", *_BY_ASKING):
            return "lightweight", llm.lightweight
        return "primary", llm.primary

    def limits(self, host: Host, held: Mapping[str, int] | None = None) -> dict[str, int]:
        """Bytes the models may have on each device; `held` is what those loaded hold now."""
        memory = self._config.settings.memory
        caps = card_caps(self._config)
        limits = {}
        for device in host.devices:
            free_bytes = device.free_bytes + (held or {}).get(device.id, 0)
            free_bytes = min(free_bytes, device.total_bytes)
            if device.id == CPU:
                left_bytes = free_bytes - memory.reserve_bytes - HOUSEHOLD_BYTES
                cap_bytes = round(memory.max_ram_gb * 1e9) or left_bytes
                limits[CPU] = max(0, min(left_bytes, cap_bytes))
            else:
                left_bytes = free_bytes - memory.reserve_vram_bytes
                limits[device.id] = max(0, min(left_bytes, caps.get(device.id, left_bytes)))
        return limits

    def engine(self, manifest: Manifest, host: Host) -> Found:
        """The build of llama.cpp that runs a GGUF model of this household on a machine.

        Raises:
            BadConfig: the settings name one that is not here.
        """
        wish = self._config.settings.worker.engine
        if host.is_described:
            return built_in()
        folder = self._config.folders.home / "engines"
        seen = folder.stat().st_mtime_ns if folder.is_dir() else 0
        # a program on the PATH is asked what it is, which takes time: only where it may be used
        may_differ = bool(host.cards) or wish != AUTO or manifest.engine == "llama_server"
        if self._engines is None or self._engines[0] != (seen, may_differ):
            self._engines = ((seen, may_differ), find(folder, None if may_differ else ""))
        return choose_for(manifest.engine, self._engines[1], host, wish) or built_in()

    def held_on_cards(self, pids: Collection[int]) -> dict[str, int]:
        """Bytes that processes hold on each card, where the driver tells."""
        return held_on(read_graphics(self._config.visible_cards).cards, pids)

    @contextmanager
    def estimating(self, wanted: Wanted) -> Iterator[Estimator]:
        """Figures for these models; the engine is asked what was never asked before.

        Only the build that comes with lumbre can be asked.
        """
        with Oracle(self.records, built_in().build) as oracle:
            yield Estimator(self.records, oracle, wanted.here)

    def plan(self, wanted: Wanted, host: Host, held: Mapping[str, int] | None = None) -> Plan:
        """Who gets what of this machine, and who does not, and why."""
        with self.estimating(wanted) as estimate:
            made = place(
                wanted.wishes,
                host,
                self.limits(host, held),
                estimate,
                remote=wanted.remote,
            )
        models = tuple(
            replace(planned, notes=(wanted.cut[planned.id], *planned.notes))
            if planned.id in wanted.cut
            else planned
            for planned in made.models
        )
        return replace(made, models=models, refused=(*made.refused, *wanted.refused))

    def _named(self, models: Sequence[str] | None) -> Iterator[Manifest]:
        """Each once. Of those asked for by name, the first that would be primary is."""
        seen: set[str] = set()
        has_primary = False
        for manifest in self._found(models):
            if manifest.id in seen:
                continue
            seen.add(manifest.id)
            if has_primary and manifest.role == "primary":
                yield replace(manifest, role="secondary")
                continue
            has_primary = has_primary or manifest.role == "primary"
            yield manifest

    def _found(self, models: Sequence[str] | None) -> Iterator[Manifest]:
        mine = self._registry.in_effect(self._config.settings.llm.primary.id or None)
        if models is None:
            yield from mine
            return
        for name in models:
            if chosen := [model for model in mine if name in (model.id, model.role)]:
                yield from chosen
            elif known := find_known(name):
                yield known.manifest()
            else:
                yield from self._registry.find(name)

    def _with(self, found: Wanted, manifest: Manifest, host: Host, context: Context) -> Wanted:
        why = Sentence("planning.no_weights", model=manifest.id)
        reason = Sentence("planning.unknown", reason=why)
        try:
            wish = self.wish(manifest, host, context)
        except WeightsGone as error:
            wish, reason = None, Sentence("planning.gone", **error.facts)
        except LumbreError as error:
            why = Sentence(f"errors.{error.code}.message", **error.facts)
            wish, reason = None, Sentence("planning.unknown", reason=why)
        if wish is None:
            refused = Refused(
                id=manifest.id,
                role=manifest.role,
                reason=reason,
                must_be_resident=manifest.loads == "eager",
            )
            return replace(found, refused=(*found.refused, refused))
        here = dict(found.here)
        if (path := self._path(manifest)) is not None:
            here[manifest.id] = Here(
                path, manifest.checksum_sha256 or "", self.engine(manifest, host).build
            )
        cut = dict(found.cut)
        if context is None and wish.context_tokens < (asked := self._set_tokens(manifest)):
            tokens = wish.context_tokens
            cut[wish.id] = Sentence("plan.note.trained", tokens=tokens, wished_tokens=asked)
        return replace(found, wishes=(*found.wishes, wish), here=here, cut=cut)

    def _facts(self, manifest: Manifest) -> Facts | None:
        """Of its file, if it is here, else of the known model of that name."""
        if manifest.format != "gguf":
            return None
        path = self._path(manifest)
        if path is None:
            known = find_known(manifest.id)
            return known.facts if known else None
        try:
            facts = self.records.facts(path)
            if facts is None:
                facts = read_facts(path)
                self.records.keep_facts(path, facts)
        except OSError:  # gone since it was looked at
            return None
        return facts

    def _path(self, manifest: Manifest) -> Path | None:
        """Of its main file, where that is on this machine and whole as far as its size tells."""
        if not manifest.weights:
            return None
        file = manifest.weights[0]
        try:
            path = self._weights.path(manifest, file)
            size_bytes = path.stat().st_size
        except (LumbreError, OSError):
            return None
        return path if file.size_bytes in (None, size_bytes) else None

    def _fixed_bytes(self, manifest: Manifest) -> int:
        """What its manifest says it holds, measured; else its files and a process."""
        resident = manifest.metadata.get("resident_bytes")
        if isinstance(resident, int) and resident > 0:
            return resident
        return self._files_bytes(manifest, beside=False) + WITHOUT_FORMULA_BYTES

    def _beside_bytes(self, manifest: Manifest) -> int:
        return self._files_bytes(manifest, beside=True) if manifest.format == "gguf" else 0

    def _files_bytes(self, manifest: Manifest, *, beside: bool) -> int:
        sizes_bytes = 0
        for file in manifest.weights:
            if beside and file.part not in ("projector", "adapter"):
                continue
            try:
                sizes_bytes += self._weights.path(manifest, file).stat().st_size
            except (LumbreError, OSError):
                sizes_bytes += file.size_bytes or 0
        return sizes_bytes

    def _uses_cards(self, manifest: Manifest, host: Host) -> bool:
        """Whether there is a build for the cards: of a described machine, it is supposed."""
        kinds = {card.kind for card in host.cards}
        return bool(kinds) and (host.is_described or self.engine(manifest, host).device in kinds)

    def _use(self, manifest: Manifest) -> float:
        """As measured here, else as the settings say for its role."""
        measured = self.records.requests_per_hour(manifest.id)
        asked = float(getattr(self._config.settings.use, manifest.role))
        return asked if measured is None else measured


def this_machine_of(config: Config) -> Host:
    """The machine as it is now, with the cards this program may use."""
    visible = config.visible_cards
    return this_machine({} if visible is None else {VISIBLE: visible})


@contextmanager
def planning_for(config: Config) -> Iterator[Planning]:
    """A planning for a home; one that is not there yet is not made by looking."""
    with tempfile.TemporaryDirectory() as folder:
        there = config.folders.home.is_dir()
        store = Store(config.folders.database if there else Path(folder) / "lumbre.db")
        try:
            registry = Registry(config.folders.registry)
            weights = Weights(config.folders.weights, store)
            yield Planning(config, Records(store), registry, weights)
        finally:
            store.close()


def plan_household(
    config: Config,
    *,
    host: Host,
    models: Sequence[str] | None = None,
    context: Context = None,
    held: Mapping[str, int] | None = None,
) -> Plan:
    """The plan of a home on a machine: `lumbre plan`.

    `held` is what its models hold now, by device, where its household runs.

    Raises:
        UnknownModel: a name that is neither in the registry nor known.
    """
    with planning_for(config) as planning:
        return planning.plan(planning.wanted(host, models, context), host, held)


def _with_context(wish: Wish, context: Context, default_tokens: int) -> Wish:
    if wish.facts is None or wish.role not in CHAT_ROLES or context is None:
        return replace(wish, context_tokens=default_tokens)
    trained_tokens = wish.facts.context_length or default_tokens
    if context == "max":
        return replace(wish, context_tokens=trained_tokens, min_context_tokens=LEAST_CONTEXT_TOKENS)
    return replace(wish, context_tokens=context)

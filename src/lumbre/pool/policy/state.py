"""What a decision of the pool looks at: who runs, who waits, and what there is."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from lumbre.pool.policy.cooling import Cooling
from lumbre.pool.policy.use import Use

Resources = Mapping[str, int]
"""Amounts by what they are of: bytes of "cpu", "gpu0" ..., and counted things such as `LLMS`."""
LLMS = "llms"
"""Chat models loaded at a time: each needs one where the settings limit them."""
THREADS = "threads"
"""Processor threads at work at a time."""
Phase = Literal["starting", "ready", "stopping"]
Standing = Literal["on_demand", "eager", "primary", "resident"]
"""In this order they give way; a resident one to nobody but another program in need."""
Leaving = Literal["", "room", "hand", "pressure", "stalled"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a model asks for and how it may be treated."""

    need: Resources
    """From the decision to start until it was seen gone."""
    slots: int = 1
    idle_s: float | None = None
    """May stop after this long unused; None: stays (an eager model)."""
    standing: Standing = "on_demand"
    """A resident model is small and needed by all (embedding, classifier, router): it is never
    stopped for another, and never waits for one in use: it fits now, or is refused. A request
    that holds a chat model may therefore ask for a resident one, and never waits for itself."""
    work: Resources = field(default_factory=dict)
    """What it takes of the devices while it is in use: threads, a card's permit."""
    reload_s: float = 1.0
    """What it costs to have it back: as last measured, else expected."""
    requests_per_hour: float = 0.0
    """Expected before anything was seen."""
    made_of: str = ""
    """Names its files and settings: what failed with others may work with these."""

    @property
    def is_resident(self) -> bool:
        return self.standing == "resident"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request waiting for a lease. Ids grow: the smaller is the older."""

    id: int
    model: str
    insists: bool = False
    """Asked by hand: a model that failed a moment ago is tried all the same."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A worker process and who uses it."""

    worker: int
    """Which process, not which model."""
    model: str
    terms: Terms
    phase: Phase = "starting"
    leases: frozenset[int] = frozenset()
    """Tickets that hold one."""
    idle_since: float = 0.0
    held: Resources = field(default_factory=dict)
    """Bytes by device it was last seen to hold that nobody else could have."""
    leaving: Leaving = ""
    """Why it gets no new leases, and ends as soon as the last one is back."""
    room_for: str = ""
    """The model it makes room for."""

    @property
    def is_idle(self) -> bool:
        return self.phase == "ready" and not self.leases

    def takes(self, resource: str) -> int:
        """What it counts for: its need, or what it was seen to hold where that is more."""
        return max(self.terms.need.get(resource, 0), self.held.get(resource, 0))

    def unseen(self, device: str) -> int:
        """Bytes it may still take of what looks available."""
        return max(0, self.terms.need.get(device, 0) - self.held.get(device, 0))


@dataclass(frozen=True, slots=True)
class State:
    """Everything a decision looks at."""

    now: float = 0.0
    saw_at: float = 0.0
    """When somebody began to read what is available."""
    available: Resources = field(default_factory=dict)
    """Bytes by device as last seen, less the reserve; what workers hold is not in it."""
    caps: Resources = field(default_factory=dict)
    """The most all workers together may be promised, where the settings say so."""
    slack: Resources = field(default_factory=dict)
    """By how much a device may be short before anybody yields."""
    work_caps: Resources = field(default_factory=dict)
    """The most all workers in use may take of what `Terms.work` counts."""
    keep_while_fits: bool = True
    """Nothing idle is unloaded while everything that was ever asked for fits together."""
    workers: Mapping[int, Loaded] = field(default_factory=dict)
    queue: tuple[Ticket, ...] = ()
    """Oldest first."""
    head: str = ""
    """The model that is waited for until memory comes free; others do not load past it."""
    terms: Mapping[str, Terms] = field(default_factory=dict)
    use: Mapping[str, Use] = field(default_factory=dict)
    """How often each model was asked for."""
    cooling: Mapping[str, Cooling] = field(default_factory=dict)
    """Models that failed and are not tried again for a while."""
    pinned: frozenset[str] = frozenset()
    """Models a person wants to stay loaded."""
    earned: frozenset[str] = frozenset()
    """Models that stay loaded because they are needed often: they give way as eager ones do."""
    hopeless: Mapping[str, float] = field(default_factory=dict)
    """Models that wait and would not fit even if all others gave way, and since when: a moment's
    shortage passes."""
    next_worker: int = 1
    closing: bool = False

    def of_model(self, model: str) -> Loaded | None:
        """Its worker, whatever it is doing: there is one at most."""
        return next((w for w in self.workers.values() if w.model == model), None)

    def stays_loaded(self, model: str) -> bool:
        """Whether it is not unloaded for being unused."""
        return model in self.pinned or model in self.earned

    def put(self, loaded: Loaded) -> "State":
        """With this worker as it is now."""
        return replace(self, workers={**self.workers, loaded.worker: loaded})

    def stays(self, why: Leaving) -> "State":
        """Who was to go for this reason, and is not yet going, stays."""
        marked = {
            number: replace(loaded, leaving="", room_for="")
            for number, loaded in self.workers.items()
            if loaded.leaving == why and loaded.phase != "stopping"
        }
        return replace(self, workers={**self.workers, **marked}) if marked else self

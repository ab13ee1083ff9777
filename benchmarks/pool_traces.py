"""How long do requests wait for a model under the pool's own decisions, and under plainer rules?

A trace (benchmarks/traces) is played on a virtual clock: the pool's own `decide` is asked, and
what it wants done takes the seconds that were measured. Only what a worker is worth differs:
ours, LRU (the longest unused goes first), or how often it was asked for. Beside them
stands the least anybody could have spent on loads who knew the future; exact for the small ones,
whose requests do not overlap.
"""

import json
import statistics
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from typing import Any

from lumbre.pool.policy.decide import decide
from lumbre.pool.policy.events import (
    Asked,
    Effect,
    Event,
    Gone,
    Grant,
    Kill,
    Refuse,
    Released,
    Saw,
    Start,
    Started,
    Stop,
)
from lumbre.pool.policy.state import Loaded, State, Terms, Ticket
from lumbre.pool.policy.worth import expected_cost
from recording import about, figure, keep

TRACES = Path(__file__).parent / "traces"
UNEQUAL = ("two_disks", "two_disks_bursts", "shared_folder", "one_dear")
MOST_OF_LRU, MOST_OF_LRU_UNEQUAL = 1.05, 0.7
Worth = Callable[[Loaded, State], float]


@dataclass(frozen=True, slots=True)
class Trace:
    """Who is asked for, when, and what it costs to have it."""

    name: str
    terms: Mapping[str, Terms]
    load_s: Mapping[str, float]
    capacity: Mapping[str, int]
    stop_s: float
    requests: tuple[tuple[float, str, float], ...]
    """When, of which model, seconds of use."""


def read(path: Path) -> Trace:
    return parse(json.loads(path.read_text(encoding="utf-8")))


def parse(told: Mapping[str, Any]) -> Trace:
    models = {model["id"]: model for model in told["models"]}
    return Trace(
        name=told["name"],
        terms={
            name: Terms(
                need=model["need"],
                slots=model["slots"],
                standing=model["standing"],
                reload_s=model["load_s"],
                requests_per_hour=told["requests_per_hour"],
            )
            for name, model in models.items()
        },
        load_s={name: model["load_s"] for name, model in models.items()},
        capacity=told["capacity"],
        stop_s=told["stop_s"],
        requests=tuple((at_s, model, use_s) for at_s, model, use_s in told["requests"]),
    )


def lru(loaded: Loaded, state: State) -> float:
    """The longest unused goes first, whatever it costs to have it back."""

    def used(worker: Loaded) -> tuple[bool, float, int]:
        use = state.use.get(worker.model)
        last = use.last if use and use.last else 0.0
        return not worker.is_idle, max(worker.idle_since, last), worker.worker

    return _in_order(sum(used(other) < used(loaded) for other in state.workers.values()))


def frequency(trace: Trace) -> Worth:
    """The least often asked for goes first; counted for ever."""
    times: dict[str, list[float]] = {model: [] for model in trace.terms}
    for at_s, model, _ in trace.requests:
        times[model].append(at_s)

    def worth(loaded: Loaded, state: State) -> float:
        def counted(worker: Loaded) -> tuple[bool, int, int]:
            count = bisect_right(times[worker.model], state.now)
            return not worker.is_idle, count, worker.worker

        return _in_order(sum(counted(other) < counted(loaded) for other in state.workers.values()))

    return worth


def _in_order(place: int) -> float:
    """A worth that keeps the order whatever each brings: the pool weighs worth by bytes, and
    these rules do not. It still stops no more than is needed, theirs as ours."""
    return 1e4**place


@dataclass(slots=True)
class Outcome:
    """What one play of a trace came to."""

    waits_s: list[float] = field(default_factory=list)
    """From asked to granted, in the order asked."""
    loads: Counter[str] = field(default_factory=Counter)
    load_s: float = 0.0

    def told(self) -> dict[str, float]:
        waits = sorted(self.waits_s)
        return {
            "wait_s": round(sum(waits), 1),
            "mean_s": round(statistics.fmean(waits), 3),
            "p95_s": round(waits[max(0, -(-len(waits) * 95 // 100) - 1)], 2),
            "loads": sum(self.loads.values()),
            "load_s": round(self.load_s, 1),
        }


class World:
    """Processes that take their time, memory that fills, and people who ask; on a virtual clock.

    Raises AssertionError when a decision breaks what must always hold.
    """

    def __init__(self, trace: Trace, worth: Worth) -> None:
        self.trace = trace
        self.worth = worth
        self.outcome = Outcome()
        self.state = State(available=trace.capacity)
        self.now = 0.0
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._alive: dict[int, str] = {}
        self._held: dict[int, Mapping[str, int]] = {}
        self._stopping: set[int] = set()
        self._asked_at_s: dict[int, float] = {}
        self._waiting: set[int] = set()
        self._leases: dict[int, int] = {}

    def play(self) -> Outcome:
        """Until everyone who asked has had an answer and given it back."""
        self.outcome.waits_s = [-1.0] * len(self.trace.requests)
        self.begin()
        while self._coming:
            self.now, _, happens = heappop(self._coming)
            happens()
        assert not self._waiting, "somebody waits for ever"
        assert not self._leases
        assert min(self.outcome.waits_s) >= 0
        return self.outcome

    def begin(self) -> None:
        """Who asks when."""
        for ticket, (at_s, _, _) in enumerate(self.trace.requests):
            self.later(at_s, partial(self.ask, ticket))

    def later(self, at_s: float, happens: Callable[[], None]) -> None:
        """Have something happen."""
        heappush(self._coming, (at_s, next(self._order), happens))

    def ask(self, ticket: int) -> None:
        """Somebody asks now for what stands at this place of the trace."""
        _, model, _ = self.trace.requests[ticket]
        self._asked_at_s[ticket] = self.now
        self._waiting.add(ticket)
        self._happened(Asked(Ticket(ticket, model), self.trace.terms[model]))

    def decided(self, state: State, event: Event) -> tuple[State, tuple[Effect, ...]]:
        """What the pool decides."""
        return decide(state, event, self.worth)

    def seen(self) -> Saw:
        """Memory as it is now."""
        available = {
            device: capacity - sum(held.get(device, 0) for held in self._held.values())
            for device, capacity in self.trace.capacity.items()
        }
        return Saw(self.now, available, dict(self._held))

    def _happened(self, event: Event) -> None:
        self.state, effects = self.decided(replace(self.state, now=self.now), event)
        for effect in effects:
            self._do(effect)
        for device, capacity in self.trace.capacity.items():
            promised = sum(self.trace.terms[model].need[device] for model in self._alive.values())
            assert promised <= capacity, "over capacity"

    def _do(self, effect: Effect) -> None:
        match effect:
            case Start(worker, model):
                assert model not in self._alive.values(), "one load per model"
                self._alive[worker] = model
                self._held[worker] = {}
                self.outcome.loads[model] += 1
                self.outcome.load_s += self.trace.load_s[model]
                self.later(self.now + self.trace.load_s[model], partial(self._ready, worker))
            case Stop(worker):
                assert worker in self._alive
                assert worker not in self._stopping, "stopped twice"
                assert worker not in self._leases.values(), "stopped while in use"
                self._stopping.add(worker)
                self.later(self.now + self.trace.stop_s, partial(self._gone, worker))
            case Grant(ticket, worker):
                _, model, use_s = self.trace.requests[ticket]
                assert self._alive[worker] == model
                assert worker not in self._stopping
                assert self._held[worker], "granted before it was ready"
                self._waiting.remove(ticket)
                self._leases[ticket] = worker
                in_use = sum(1 for other in self._leases.values() if other == worker)
                assert in_use <= self.trace.terms[model].slots
                self.outcome.waits_s[ticket] = self.now - self._asked_at_s[ticket]
                self.later(self.now + use_s, partial(self._release, ticket))
            case Refuse() | Kill():
                raise AssertionError(f"everything fits and nothing fails: {effect}")

    def _ready(self, worker: int) -> None:
        if worker not in self._alive or worker in self._stopping:
            return
        self._held[worker] = self.trace.terms[self._alive[worker]].need
        self._happened(Started(worker, self.trace.load_s[self._alive[worker]]))
        self._happened(self.seen())

    def _release(self, ticket: int) -> None:
        del self._leases[ticket]
        self._happened(Released(ticket))

    def _gone(self, worker: int) -> None:
        self._stopping.remove(worker)
        del self._alive[worker], self._held[worker]
        self._happened(Gone(worker, self.seen()))


def play(trace: Trace, worth: Worth = expected_cost) -> Outcome:
    """What the people of a trace waited when workers are worth this."""
    return World(trace, worth).play()


def least_load_s(trace: Trace) -> float:
    """Seconds of loading nobody can do without, not even who knows the future: Belady with costs.

    Exact where requests do not overlap. What is loaded after a request is all that matters
    for the next: a model is loaded when it is asked for (never earlier: that is no cheaper),
    and any of those loaded before may be kept that fit beside it. So, request by request, the
    least spent on each set that can be loaded by then.
    """
    names = sorted(trace.terms)
    sizes = _sizes(trace, names)
    spent: dict[int, float] = {0: 0.0}
    for _, model, _ in trace.requests:
        wanted = 1 << names.index(model)
        after: dict[int, float] = {}
        for loaded, load_s in spent.items():
            if loaded & wanted:
                after[loaded] = min(load_s, after.get(loaded, load_s))
                continue
            for kept in _parts(loaded):
                there = kept | wanted
                if all(size <= trace.capacity[device] for device, size in sizes[there].items()):
                    now_s = load_s + trace.load_s[model]
                    after[there] = min(now_s, after.get(there, now_s))
        spent = after
    return min(spent.values())


def _sizes(trace: Trace, names: Sequence[str]) -> list[dict[str, int]]:
    """What each set of models needs of each device; a set is the bits of a number."""
    return [
        {
            device: sum(
                trace.terms[name].need.get(device, 0)
                for bit, name in enumerate(names)
                if models >> bit & 1
            )
            for device in trace.capacity
        }
        for models in range(1 << len(names))
    ]


def _parts(models: int) -> Iterator[int]:
    """Every set of some of these, none and all among them."""
    part = models
    while True:
        yield part
        if not part:
            return
        part = (part - 1) & models


def compare(trace: Trace) -> dict[str, Any]:
    """One row: ours, the plainer rules, and how they compare."""
    rules: dict[str, Worth] = {"ours": expected_cost, "lru": lru, "frequency": frequency(trace)}
    row: dict[str, Any] = {name: play(trace, worth).told() for name, worth in rules.items()}
    row["of_lru"] = round(row["ours"]["wait_s"] / row["lru"]["wait_s"], 3)
    row["least_load_s"] = round(least_load_s(trace), 1)
    return row


def main() -> int:
    facts = about()
    traces = [read(path) for path in sorted(TRACES.glob("*.json"))]
    rows = {trace.name: compare(trace) for trace in traces}
    print(f"{'':20}{'waits':>11} {'of LRU':>11} {'':>9}{'loads':>11} {'of LRU':>11} {'least':>11}")
    for name, row in rows.items():
        ours, theirs = row["ours"], row["lru"]
        print(
            f"{name:20}{ours['wait_s']:>9} s {theirs['wait_s']:>9} s {row['of_lru']:>9}"
            f"{ours['load_s']:>9} s {theirs['load_s']:>9} s {row['least_load_s']:>9} s"
        )
    worst = max(rows, key=lambda name: float(rows[name]["of_lru"]))
    figures = [
        figure(f"waits beside LRU, worst ({worst})", rows[worst]["of_lru"], MOST_OF_LRU, "times"),
        figure(
            "waits beside LRU, unequal reload cost, median",
            statistics.median(rows[name]["of_lru"] for name in UNEQUAL),
            MOST_OF_LRU_UNEQUAL,
            "times",
        ),
    ]
    keep("pool_traces", facts, {"figures": figures, "traces": rows})
    return 0 if all(row["holds"] for row in figures) else 1


if __name__ == "__main__":
    sys.exit(main())

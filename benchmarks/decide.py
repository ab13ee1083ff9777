"""How long does the pool think, with 20 models and 1,000 tickets waiting at any moment?

A crowd on a virtual clock: whoever is served is followed by the next who asks, so the queue stays
as long. Two devices, room for a quarter of the models, threads and a card to be shared, in turn
with the memory short as well. Each decision is timed, by kind of event and by what came of it:
the processor's time of this thread, for other programs on the same cores are not the pool's
doing; the clock's beside it.
"""

import gc
import random
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from pool_traces import Trace, World

from lumbre.pool.policy.decide import decide
from lumbre.pool.policy.events import (
    Asked,
    Cancelled,
    Dismissed,
    Effect,
    Event,
    Gone,
    Grant,
    Pinned,
    Pressed,
    Saw,
)
from lumbre.pool.policy.state import THREADS, State, Terms, Ticket
from lumbre.pool.policy.worth import expected_cost
from recording import about, figure, keep

MODELS, WAITING, SERVED = 20, 1000, 3000
SLOTS = 80
"""Tickets that can be granted at once, at most: so many the queue may lack for a moment."""
SEED = 5
GB = 10**9
MOST_MS = 1.0
CAPACITY = {"cpu": 48 * GB, "gpu0": 24 * GB}


def crowd(dice: random.Random) -> Trace:
    """Tickets for twenty models, the first thousand at once."""
    terms, load_s = {}, {}
    for number in range(MODELS):
        size = dice.choice((2, 4, 8, 12)) * GB
        on_card = number % 2 == 0
        name = f"model-{number:02}"
        terms[name] = Terms(
            need={"cpu": GB, "gpu0": size} if on_card else {"cpu": size, "gpu0": 0},
            slots=dice.choice((1, 2, 4)),
            standing="primary" if number == 0 else "eager" if number < 4 else "on_demand",
            work={THREADS: 2, "gpu0": 1} if on_card else {THREADS: 4},
            reload_s=dice.uniform(0.5, 40.0),
            requests_per_hour=dice.uniform(0.0, 60.0),
        )
        load_s[name] = terms[name].reload_s
    requests = tuple(
        (0.0, dice.choice(sorted(terms)), dice.uniform(0.5, 20.0)) for _ in range(WAITING + SERVED)
    )
    return Trace("crowd", terms, load_s, CAPACITY, 0.1, requests)


class Crowd(World):
    """A queue that does not get shorter until everyone has asked."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace, expected_cost)
        self.state = replace(self.state, work_caps={THREADS: 8, "gpu0": 1})
        self.taken_ms: dict[str, list[tuple[float, float]]] = defaultdict(list)
        """By the thread and by the clock."""
        self._to_come = iter(range(WAITING, len(trace.requests)))

    def begin(self) -> None:
        for ticket in range(WAITING):
            self.later(0.0, partial(self.ask, ticket))
        for at_s in range(200, 2000, 200):
            self.later(at_s, self.others)

    def decided(self, state: State, event: Event) -> tuple[State, tuple[Effect, ...]]:
        after, effects = self.timed(state, event)
        for effect in effects:
            ticket = next(self._to_come, None) if isinstance(effect, Grant) else None
            if ticket is not None:
                self.later(self.now, partial(self.ask, ticket))
        return after, effects

    def timed(self, state: State, event: Event) -> tuple[State, tuple[Effect, ...]]:
        clock, thread = time.perf_counter_ns(), time.thread_time_ns()
        after, effects = decide(state, event, expected_cost)
        thread = time.thread_time_ns() - thread
        clock = time.perf_counter_ns() - clock
        if len(state.queue) >= WAITING - SLOTS:
            taken = thread / 1e6, clock / 1e6
            name = type(event).__name__
            came = {type(effect).__name__ for effect in effects}
            self.taken_ms[name].append(taken)
            for what in came & {"Start", "Stop"}:
                self.taken_ms[f"{name}, then {what}"].append(taken)
        return after, effects

    def others(self) -> None:
        """Decisions a crowd does not bring about, from the state as it is, which stays so."""
        state = replace(self.state, now=self.now)
        seen = self.seen()
        less = {device: amount - CAPACITY[device] // 2 for device, amount in seen.available.items()}
        for ticket in state.queue[:: len(state.queue) // 20]:
            self.timed(state, Cancelled(ticket.id))
            self.timed(state, Asked(Ticket(-1, ticket.model), self.trace.terms[ticket.model]))
        for worker in state.workers.values():
            self.timed(state, Dismissed(worker.model))
            self.timed(state, Pinned(worker.model))
            self.timed(state, Gone(worker.worker, seen))
            short, _ = self.timed(state, Saw(self.now, less, seen.held))
            self.timed(short, Pressed())


def at_share(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def main() -> int:
    facts = about()
    world = Crowd(crowd(random.Random(SEED)))
    gc.disable()  # the household's collector runs when it likes, not once for each decision
    world.play()
    gc.enable()
    rows = {}
    for name, taken in sorted(world.taken_ms.items()):
        thread, clock = zip(*taken, strict=True)
        rows[name] = {
            "decisions": len(taken),
            "p50_ms": round(at_share(thread, 0.5), 3),
            "p99_ms": round(at_share(thread, 0.99), 3),
            "most_ms": round(max(thread), 3),
            "clock_p99_ms": round(at_share(clock, 0.99), 3),
        }
        print(f"{name:24}", rows[name])
    events = [name for name in rows if ", then " not in name]
    slowest = max(events, key=lambda name: float(rows[name]["p99_ms"]))
    row = figure(
        f"decide, 20 models, 1,000 tickets, p99 of the slowest kind ({slowest})",
        float(rows[slowest]["p99_ms"]),
        MOST_MS,
        "ms",
    )
    loads = sum(world.outcome.loads.values())
    print(f"requests: {len(world.outcome.waits_s)}, loads: {loads}")
    keep("decide", facts, {"figures": [row], "seed": SEED, "loads": loads, "kinds": rows})
    return 0 if row["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())

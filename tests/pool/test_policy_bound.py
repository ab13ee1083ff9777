"""How long a ticket can wait is bounded, as policy.py says, for every class of model."""

import heapq
import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lumbre.pool.policy.state import LLMS, THREADS, Standing, Terms
from tests.pool.world import World

LEASE, LOAD, END = 4.0, 3.0, 1.0
ROUND = 2 * LEASE + LOAD + END


class Timed(World):
    """Leases, loads and ends take as long as they may; the clock jumps from one to the next."""

    def __init__(self, models: dict[str, Terms], memory: dict[str, int], **more: object) -> None:
        super().__init__(models, memory, **more)  # type: ignore[arg-type]
        self.due: list[tuple[float, int, str, int]] = []
        self.order = itertools.count()
        self.known: set[tuple[str, int]] = set()
        self.asked: dict[int, tuple[float, int]] = {}
        self.granted: dict[int, float] = {}
        self.model_of: dict[int, str] = {}
        self.resident_starts: list[float] = []

    def later(self, seconds: float, what: str, number: int) -> None:
        if (what, number) not in self.known:
            self.known.add((what, number))
            heapq.heappush(self.due, (self.now + seconds, next(self.order), what, number))

    def arrives(self, model: str) -> None:
        older = len(self.waiting) + len(self.leases)
        ticket = self.next_ticket
        self.asked[ticket] = (self.now, older)
        self.model_of[ticket] = model
        self.ask(model)
        self.note()

    def note(self) -> None:
        for ticket in self.leases:
            self.granted.setdefault(ticket, self.now)
            self.later(LEASE, "release", ticket)
        for worker in self.starting():
            if self.alive[worker] == "resident" and ("start", worker) not in self.known:
                self.resident_starts.append(self.now)
            self.later(LOAD, "start", worker)
        for worker in self.stopping:
            self.later(END, "end", worker)

    def run_until(self, at: float) -> None:
        while self.due and self.due[0][0] <= at:
            self.now, _, what, number = heapq.heappop(self.due)
            match what:
                case "release":
                    self.release(number)
                case "start" if number in self.starting():
                    self.start(number)
                case "end" if number in self.alive:
                    self.end(number)
            self.see()
            self.note()
        self.now = max(self.now, at)


def terms(need: int, standing: Standing, slots: int) -> Terms:
    idle_s = 20.0 if standing == "on_demand" else None
    resources = {"cpu": need} if standing == "resident" else {"cpu": need, LLMS: 1}
    return Terms(need=resources, slots=slots, idle_s=idle_s, standing=standing, work={THREADS: 1})


households = st.tuples(
    st.lists(
        st.builds(
            terms,
            st.integers(10, 60),
            st.sampled_from(["on_demand", "on_demand", "eager"]),
            st.integers(1, 3),
        ),
        min_size=2,
        max_size=5,
    ),
    st.builds(terms, st.integers(5, 15), st.just("resident"), st.just(8)),
    st.sampled_from([{}, {LLMS: 1}, {LLMS: 2}]),
    st.sampled_from([{}, {THREADS: 1}, {THREADS: 2}]),
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    household=households,
    arrivals=st.lists(st.tuples(st.floats(0, 6), st.integers(0, 5)), min_size=1, max_size=40),
)
def test_a_ticket_waits_no_longer_than_its_place_in_the_line_allows(
    household: tuple[list[Terms], Terms, dict[str, int], dict[str, int]],
    arrivals: list[tuple[float, int]],
) -> None:
    chat, resident, caps, work = household
    models = {f"chat{number}": one for number, one in enumerate(chat)} | {"resident": resident}
    world = Timed(models, {"cpu": 80}, caps=caps, work_caps=work)
    names = sorted(models)
    for after, which in arrivals:
        world.run_until(world.now + after)
        world.arrives(names[which % len(names)])
    world.run_until(world.now + 2 * ROUND * (len(arrivals) + 1))
    assert not world.waiting
    assert world.state.next_worker - 1 <= len(arrivals) + len(world.resident_starts)
    refused = {refusal.ticket for refusal in world.refused}
    for ticket, (asked_at, older) in world.asked.items():
        if ticket in refused:
            continue
        granted_at = world.granted[ticket]
        between = sum(asked_at <= at <= granted_at for at in world.resident_starts)
        assert granted_at - asked_at <= (older + 1 + between) * ROUND


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    arrivals=st.lists(st.tuples(st.floats(0, 6), st.integers(0, 3)), min_size=1, max_size=30),
)
def test_a_resident_model_waits_for_one_end_and_one_load_at_most(
    arrivals: list[tuple[float, int]],
) -> None:
    models = {
        "primary": terms(40, "eager", 1),
        "one": terms(30, "on_demand", 1),
        "two": terms(30, "on_demand", 2),
        "resident": terms(10, "resident", 64),
    }
    world = Timed(models, {"cpu": 80})
    names = ["primary", "one", "two", "resident"]
    for after, which in arrivals:
        world.run_until(world.now + after)
        world.arrives(names[which])
    world.run_until(world.now + 2 * ROUND * (len(arrivals) + 1))
    refused = {refusal.ticket for refusal in world.refused}
    for ticket, (asked_at, _) in world.asked.items():
        if world.model_of[ticket] == "resident" and ticket not in refused:
            assert world.granted[ticket] - asked_at <= END + LOAD

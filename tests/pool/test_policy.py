"""The pool's decisions never promise memory that is not there, and answer every ticket once."""

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lumbre.pool.policy import decide
from lumbre.pool.state import (
    Asked,
    Cancelled,
    Closed,
    Effect,
    Event,
    Gone,
    Grant,
    Refuse,
    Released,
    Saw,
    Start,
    Started,
    State,
    Stop,
    Terms,
    Ticket,
)

MODELS = {
    "primary": Terms(need_bytes=50, slots=1),
    "embedder": Terms(need_bytes=10, slots=4, resident=True),
    "light": Terms(need_bytes=30, slots=2, idle_s=5.0),
    "micro": Terms(need_bytes=20, slots=1, idle_s=3.0),
    "giant": Terms(need_bytes=500, slots=1, idle_s=3.0),
}
CAPACITY = 80


class Machine:
    """A small world: memory that fills as workers load, and processes that end when told."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self.state = State(available_bytes=capacity)
        self.now = 0.0
        self.alive: dict[int, str] = {}
        self.held: dict[int, int] = {}
        self.stopping: set[int] = set()
        self.leases: dict[int, int] = {}
        self.waiting: dict[int, str] = {}
        self.answers: dict[int, int] = {}
        self.refused: list[Refuse] = []
        self.next_ticket = 1

    @property
    def available(self) -> int:
        return self.capacity - sum(self.held.values())

    def happened(self, event: Event) -> tuple[Effect, ...]:
        self.state, effects = decide(replace(self.state, now=self.now), event)
        for effect in effects:
            self.act(effect)
        return effects

    def act(self, effect: Effect) -> None:
        match effect:
            case Start(worker, model):
                assert model not in self.alive.values(), "one load per model"
                self.alive[worker] = model
                self.held[worker] = 0
            case Stop(worker):
                assert worker in self.alive
                assert worker not in self.stopping, "stopped twice"
                assert worker not in self.leases.values(), "stopped a worker in use"
                self.stopping.add(worker)
            case Grant(ticket, worker):
                assert self.alive[worker] == self.waiting.pop(ticket)
                assert worker not in self.stopping
                self.answers[ticket] = self.answers.get(ticket, 0) + 1
                self.leases[ticket] = worker
            case Refuse(ticket):
                del self.waiting[ticket]
                self.answers[ticket] = self.answers.get(ticket, 0) + 1
                self.refused.append(effect)

    def ask(self, model: str) -> int:
        ticket = self.next_ticket
        self.next_ticket += 1
        self.waiting[ticket] = model
        self.happened(Asked(Ticket(ticket, model), MODELS[model]))
        return ticket

    def see(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.happened(Saw(self.now, self.available, dict(self.held)))

    def fill(self, worker: int, share: float = 1.0) -> None:
        self.held[worker] = round(MODELS[self.alive[worker]].need_bytes * share)

    def start(self, worker: int) -> None:
        self.fill(worker)
        self.happened(Started(worker))

    def end(self, worker: int) -> None:
        """The process is gone, whoever held a lease on it still gives that back."""
        self.stopping.discard(worker)
        del self.alive[worker], self.held[worker]
        self.happened(Gone(worker, Saw(self.now, self.available, dict(self.held))))

    def release(self, ticket: int) -> None:
        del self.leases[ticket]
        self.happened(Released(ticket))

    def cancel(self, ticket: int) -> None:
        self.waiting.pop(ticket, None)
        self.leases.pop(ticket, None)
        self.happened(Cancelled(ticket))

    def release_after_start(self, model: str) -> None:
        ticket = self.ask(model)
        self.start(max(self.alive))
        self.release(ticket)
        self.see()

    def starting(self) -> list[int]:
        return [w.worker for w in self.state.workers.values() if w.phase == "starting"]


def pick(options: Iterable[int]) -> st.SearchStrategy[int]:
    return st.sampled_from(sorted(options))


class PoolWorld(RuleBasedStateMachine):
    """Anything may happen in any order; what must hold, holds after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.world = Machine()

    @rule(model=st.sampled_from(sorted(MODELS)))
    def somebody_asks(self, model: str) -> None:
        self.world.ask(model)

    @precondition(lambda self: self.world.starting())
    @rule(data=st.data())
    def a_worker_is_ready(self, data: st.DataObject) -> None:
        self.world.start(data.draw(pick(self.world.starting())))

    @precondition(lambda self: self.world.alive)
    @rule(data=st.data(), share=st.floats(0, 1))
    def a_worker_takes_memory(self, data: st.DataObject, share: float) -> None:
        self.world.fill(data.draw(pick(self.world.alive)), share)

    @precondition(lambda self: self.world.alive)
    @rule(data=st.data())
    def a_process_ends(self, data: st.DataObject) -> None:
        self.world.end(data.draw(pick(self.world.alive)))

    @precondition(lambda self: self.world.leases)
    @rule(data=st.data())
    def a_lease_comes_back(self, data: st.DataObject) -> None:
        self.world.release(data.draw(pick(self.world.leases)))

    @precondition(lambda self: self.world.waiting or self.world.leases)
    @rule(data=st.data())
    def somebody_gives_up(self, data: st.DataObject) -> None:
        self.world.cancel(data.draw(pick({*self.world.waiting, *self.world.leases})))

    @rule(seconds=st.floats(0, 10))
    def time_passes(self, seconds: float) -> None:
        self.world.see(seconds)

    @rule(seconds=st.floats(0, 10))
    def time_passes_unseen(self, seconds: float) -> None:
        self.world.now += seconds

    @precondition(lambda self: not self.world.state.closing)
    @rule()
    def the_household_closes(self) -> None:
        self.world.happened(Closed())

    @invariant()
    def never_more_is_promised_than_there_is(self) -> None:
        assert self.world.state.committed_bytes <= CAPACITY

    @invariant()
    def every_ticket_has_one_answer_or_waits(self) -> None:
        assert all(count == 1 for count in self.world.answers.values())
        waiting = {ticket.id for ticket in self.world.state.queue}
        assert waiting == set(self.world.waiting)

    @invariant()
    def slots_are_respected(self) -> None:
        for worker in self.world.state.workers.values():
            assert len(worker.leases) <= worker.terms.slots

    def teardown(self) -> None:
        """Left alone, with processes that do as told, nobody waits for ever."""
        world = self.world
        for _ in range(200):
            if not world.waiting:
                break
            for ticket in list(world.leases):
                world.release(ticket)
            for worker in world.starting():
                world.start(worker)
            for worker in list(world.stopping):
                world.end(worker)
            world.see(1.0)
        assert not world.waiting


TestPoolWorld = PoolWorld.TestCase
TestPoolWorld.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_a_model_that_cannot_fit_is_refused_at_once_with_what_there_is() -> None:
    world = Machine()
    world.ask("giant")
    assert [(r.why, r.free_bytes) for r in world.refused] == [("does_not_fit", CAPACITY)]


def test_two_who_ask_for_a_cold_model_cause_one_load() -> None:
    world = Machine()
    world.ask("primary")
    world.ask("primary")
    assert list(world.alive.values()) == ["primary"]


def test_an_idle_on_demand_model_stops_after_its_time_and_an_eager_one_does_not() -> None:
    world = Machine()
    for model in ("micro", "embedder"):
        world.release_after_start(model)
    world.see(2.9)
    assert not world.stopping
    world.see(0.2)
    assert [world.alive[worker] for worker in world.stopping] == ["micro"]


def test_room_is_made_by_idle_models_only_as_many_as_needed() -> None:
    world = Machine()
    for model in ("micro", "light", "embedder"):
        world.release_after_start(model)
    world.see(1.0)
    world.ask("primary")
    assert sorted(world.alive[worker] for worker in world.stopping) == ["light", "micro"]


def test_a_stopped_worker_counts_until_it_was_seen_gone() -> None:
    world = Machine(capacity=60)
    world.release_after_start("primary")
    waiting = world.ask("light")
    world.see()
    assert list(world.alive.values()) == ["primary"]
    world.end(next(iter(world.stopping)))
    assert list(world.alive.values()) == ["light"]
    assert waiting in world.waiting


def test_a_death_answers_those_who_waited_for_it() -> None:
    world = Machine()
    first = world.ask("primary")
    world.start(max(world.alive))
    second = world.ask("primary")
    world.end(max(world.alive))
    assert [(r.ticket, r.why) for r in world.refused] == [(second, "failed")]
    world.release(first)
    assert not world.alive


def test_a_lease_on_a_dead_worker_is_not_one_on_its_successor() -> None:
    world = Machine()
    old = world.ask("primary")
    world.start(max(world.alive))
    world.end(max(world.alive))
    new = world.ask("primary")
    world.start(max(world.alive))
    world.release(old)
    assert world.state.workers[world.leases[new]].leases == {new}


def test_nobody_loads_past_one_who_waits_for_memory() -> None:
    world = Machine(capacity=72)
    using = world.ask("primary")
    world.start(max(world.alive))
    world.see()
    world.ask("light")
    world.ask("micro")
    assert list(world.alive.values()) == ["primary"], "the micro would fit, but came later"
    world.release(using)
    world.end(next(iter(world.stopping)))
    assert sorted(world.alive.values()) == ["light", "micro"]


def test_a_resident_model_does_not_wait_behind_one_who_waits_for_memory() -> None:
    """Who holds the primary and needs the embedder again would never give the primary back."""
    world = Machine(capacity=72)
    world.release_after_start("embedder")
    world.ask("primary")
    world.start(max(world.alive))
    world.see()
    world.ask("light")
    world.end(min(world.alive))
    world.see()
    world.ask("embedder")
    assert sorted(world.alive.values()) == ["embedder", "primary"]


def test_a_model_in_use_a_moment_ago_is_not_idle() -> None:
    world = Machine()
    world.release_after_start("micro")
    world.now = 2.9
    world.release(world.ask("micro"))
    world.see(0.2)
    assert not world.stopping


def test_a_model_always_in_use_gives_way_to_one_who_waits() -> None:
    world = Machine(capacity=60)
    using = world.ask("primary")
    world.start(max(world.alive))
    world.see()
    waiting = world.ask("light")
    later = world.ask("primary")
    world.release(using)
    assert later in world.waiting, "the younger ticket does not take the slot again"
    world.end(next(iter(world.stopping)))
    world.see()
    world.start(max(world.alive))
    assert waiting in world.leases


def test_a_resident_model_is_not_stopped_for_another() -> None:
    world = Machine(capacity=55)
    world.release_after_start("embedder")
    world.ask("primary")
    assert [(r.why, r.free_bytes) for r in world.refused] == [("does_not_fit", 45)]
    assert not world.stopping


def test_a_resident_model_never_waits_for_one_in_use() -> None:
    """Whoever holds the primary and asks for the embedder would wait for itself."""
    world = Machine(capacity=55)
    using = world.ask("primary")
    world.start(max(world.alive))
    world.see()
    asked = world.ask("embedder")
    assert [(r.ticket, r.why) for r in world.refused] == [(asked, "does_not_fit")]
    world.release(using)
    world.ask("embedder")
    assert [world.alive[worker] for worker in world.stopping] == ["primary"]


def test_closing_refuses_who_waits_and_lets_the_others_finish() -> None:
    world = Machine()
    using = world.ask("primary")
    world.start(max(world.alive))
    waiting = world.ask("primary")
    world.happened(Closed())
    assert [(r.ticket, r.why) for r in world.refused] == [(waiting, "stopping")]
    assert not world.stopping
    world.release(using)
    assert len(world.stopping) == 1

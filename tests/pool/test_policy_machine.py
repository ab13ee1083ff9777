"""In any order of events: never over budget, nothing in use stopped, one answer for each ticket."""

from collections.abc import Iterable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from lumbre.pool.policy.events import Closed, Dismissed, Pinned, Pressed
from lumbre.pool.policy.state import LLMS, THREADS, Terms
from tests.pool.world import World

MODELS = {
    "primary": Terms(
        need={"cpu": 20, "gpu0": 40, LLMS: 1}, standing="primary", work={THREADS: 1, "gpu0": 1}
    ),
    "embedder": Terms(need={"cpu": 10}, slots=4, standing="resident", work={THREADS: 1}),
    "light": Terms(need={"cpu": 30, LLMS: 1}, slots=2, idle_s=5.0, work={THREADS: 1}),
    "micro": Terms(need={"cpu": 20, LLMS: 1}, idle_s=3.0, reload_s=7.0, work={THREADS: 2}),
    "judge": Terms(need={"cpu": 5, "gpu0": 50, LLMS: 1}, idle_s=3.0, work={THREADS: 1, "gpu0": 1}),
    "eager": Terms(need={"cpu": 15, LLMS: 1}, standing="eager", work={THREADS: 1}),
    "giant": Terms(need={"cpu": 500, LLMS: 1}, idle_s=3.0),
}
MEMORY = {"cpu": 60, "gpu0": 70}


def pick(options: Iterable[int]) -> st.SearchStrategy[int]:
    return st.sampled_from(sorted(options))


class PoolWorld(RuleBasedStateMachine):
    """Anything may happen in any order; `World.check` holds after each step."""

    world: World

    @initialize(
        caps=st.sampled_from([{}, {LLMS: 1}, {LLMS: 2}, {"cpu": 50}]),
        work=st.sampled_from([{}, {THREADS: 1}, {THREADS: 2, "gpu0": 1}]),
        keeps=st.booleans(),
    )
    def begin(self, caps: dict[str, int], work: dict[str, int], keeps: bool) -> None:
        self.world = World(MODELS, MEMORY, caps, work, keep_while_fits=keeps)

    @rule(model=st.sampled_from(sorted(MODELS)), insists=st.booleans())
    def somebody_asks(self, model: str, insists: bool) -> None:
        self.world.ask(model, insists=insists)

    @precondition(lambda self: self.world.starting())
    @rule(data=st.data(), load_s=st.floats(0, 30))
    def a_worker_is_ready(self, data: st.DataObject, load_s: float) -> None:
        self.world.start(data.draw(pick(self.world.starting())), load_s)

    @precondition(lambda self: self.world.alive)
    @rule(data=st.data(), share=st.floats(0, 1))
    def a_worker_takes_memory(self, data: st.DataObject, share: float) -> None:
        self.world.fill(data.draw(pick(self.world.alive)), share)

    @precondition(lambda self: self.world.alive)
    @rule(data=st.data())
    def a_process_ends(self, data: st.DataObject) -> None:
        self.world.end(data.draw(pick(self.world.alive)))

    @precondition(lambda self: self.world.ready())
    @rule(data=st.data())
    def a_worker_stands_still(self, data: st.DataObject) -> None:
        self.world.stall(data.draw(pick(self.world.ready())))

    @precondition(lambda self: self.world.leases or self.world.broken)
    @rule(data=st.data())
    def a_lease_comes_back(self, data: st.DataObject) -> None:
        self.world.release(data.draw(pick({*self.world.leases, *self.world.broken})))

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

    @rule(taken=st.integers(0, 80), device=st.sampled_from(sorted(MEMORY)))
    def another_program_takes_memory(self, taken: int, device: str) -> None:
        self.world.taken[device] = taken
        self.world.see()
        self.world.happened(Pressed())

    @rule(model=st.sampled_from(sorted(MODELS)), is_pinned=st.booleans())
    def a_person_pins(self, model: str, is_pinned: bool) -> None:
        self.world.happened(Pinned(model, is_pinned))

    @rule(model=st.sampled_from(sorted(MODELS)))
    def a_person_unloads(self, model: str) -> None:
        self.world.happened(Dismissed(model))

    @precondition(lambda self: not self.world.state.closing)
    @rule()
    def the_household_closes(self) -> None:
        self.world.happened(Closed())

    def teardown(self) -> None:
        """Left alone, with processes that do as told, nobody waits for ever."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.taken.clear()
        rounds = 0
        while world.waiting:
            rounds += 1
            assert rounds < 100, f"still waiting: {world.waiting}"
            world.settle()


TestPoolWorld = PoolWorld.TestCase
TestPoolWorld.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)

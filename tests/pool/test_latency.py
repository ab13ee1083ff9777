"""A model whose slowest answers pass its limit is left out for a while, then tried afresh."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lumbre.pool.guards.latency import (
    Answered,
    Disable,
    Effect,
    Enable,
    Event,
    Limits,
    Passed,
    State,
    decide,
    p95,
    wake_at,
)

LIMITS = Limits(least_answers=20, most_answers=40, recent_s=3600, off_s=100, most_off_s=350)
LIMIT_S = 2.0


class World:
    """Models that answer on a virtual clock."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.state = State(limits)
        self.now = 0.0
        self.effects: list[Effect] = []

    def happened(self, event: Event) -> None:
        self.state, effects = decide(self.state, event)
        self.effects += effects

    def answer(
        self, *took: float, model: str = "moe", whole: bool = True, after_s: float = 0.1
    ) -> None:
        for took_s in took:
            self.now += after_s
            self.happened(Answered(self.now, model, took_s, LIMIT_S, whole))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.happened(Passed(self.now))


def test_twenty_answers_with_two_slow_ones_disable_and_say_the_figures() -> None:
    world = World()
    world.answer(*[1.0] * 18, 5.0)
    assert world.effects == []
    world.answer(4.0)
    assert world.effects == [Disable("moe", p95_s=4.0, limit_s=LIMIT_S, answers=20, off_s=100)]
    off = world.state.off("moe")
    assert off is not None
    assert off.until == world.now + 100


def test_one_slow_answer_of_twenty_is_forgiven() -> None:
    world = World()
    world.answer(*[1.0] * 19, 60.0)
    assert world.effects == []


def test_answers_that_take_all_they_may_are_no_fault() -> None:
    world = World()
    world.answer(*[LIMIT_S] * 40)
    assert world.effects == []


def test_nineteen_answers_however_slow_say_nothing() -> None:
    world = World()
    world.answer(*[60.0] * 19)
    assert world.effects == []


def test_it_comes_back_with_a_fresh_window() -> None:
    world = World()
    world.answer(*[5.0] * 20)
    world.wait(99)
    assert world.state.off("moe") is not None
    world.wait(1)
    assert world.effects[1:] == [Enable("moe")]
    world.answer(*[5.0] * 19)
    assert len(world.effects) == 2


def test_it_is_left_out_for_longer_each_time_up_to_the_bound() -> None:
    world = World()
    for _ in range(5):
        world.answer(*[5.0] * 20)
        world.wait(400)
    lasted = [effect.off_s for effect in world.effects if isinstance(effect, Disable)]
    assert lasted == [100, 200, 350, 350, 350]


def test_a_window_within_the_limit_makes_the_next_time_the_first() -> None:
    world = World()
    world.answer(*[5.0] * 20)
    world.wait(100)
    world.answer(*[1.0] * 20)
    world.answer(*[5.0] * 3)
    lasted = [effect.off_s for effect in world.effects if isinstance(effect, Disable)]
    assert lasted == [100, 100]


def test_answers_that_end_while_it_is_out_are_not_counted() -> None:
    world = World()
    world.answer(*[5.0] * 30)
    world.wait(100)
    assert world.state.models["moe"].answers == ()
    assert len(world.effects) == 2


def test_an_answer_that_was_broken_off_counts_only_beyond_the_limit() -> None:
    early, late = World(), World()
    early.answer(*[1.9] * 40, whole=False)
    late.answer(*[2.1] * 20, whole=False)
    assert early.state.models["moe"].answers == () if "moe" in early.state.models else True
    assert isinstance(late.effects[0], Disable)


def test_old_answers_are_forgotten() -> None:
    world = World()
    world.answer(*[5.0] * 19)
    world.answer(5.0, after_s=3700)
    assert world.effects == []


def test_a_role_without_a_limit_is_never_disabled() -> None:
    state = State(LIMITS)
    for number in range(50):
        state, effects = decide(state, Answered(number, "light", 900.0, limit_s=0))
        assert not effects


def test_a_slow_model_does_not_hurt_another() -> None:
    world = World()
    for _ in range(20):
        world.answer(9.0, model="slow")
        world.answer(1.0, model="quick")
    assert {effect.model for effect in world.effects} == {"slow"}


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=200))
def test_p95_is_the_smallest_that_95_of_100_do_not_pass(seconds: list[float]) -> None:
    found = p95(seconds)
    within = sum(s <= found for s in seconds)
    below = sum(s < found for s in seconds)
    assert found in seconds
    assert within >= math.ceil(0.95 * len(seconds)) > below


@pytest.mark.parametrize("times_off", [1, 3, 500])
def test_the_bound_holds_after_any_number_of_times(times_off: int) -> None:
    world = World()
    for _ in range(times_off):
        world.answer(*[5.0] * 20, after_s=0.001)
        world.wait(LIMITS.most_off_s)
    assert all(e.off_s <= LIMITS.most_off_s for e in world.effects if isinstance(e, Disable))


class Answering(RuleBasedStateMachine):
    """Models answer, quick or slow, while time passes; each is out only for its time."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @rule(model=st.sampled_from("ab"), took_s=st.sampled_from([0.5, 1.9, 2.1, 30.0]),
          count=st.integers(1, 12), whole=st.booleans())  # fmt: skip
    def it_answers(self, model: str, took_s: float, count: int, whole: bool) -> None:
        self.world.answer(*[took_s] * count, model=model, whole=whole)

    @rule(seconds=st.sampled_from([1.0, 60.0, 120.0, 400.0, 4000.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    @invariant()
    def out_and_in_alternate_for_each_model(self) -> None:
        for model in "ab":
            kinds = [isinstance(e, Disable) for e in self.world.effects if e.model == model]
            assert kinds == [at % 2 == 0 for at in range(len(kinds))]
            assert (self.world.state.off(model) is not None) == (len(kinds) % 2 == 1)

    @invariant()
    def who_is_out_was_over_and_is_out_for_a_bounded_time(self) -> None:
        for effect in self.world.effects:
            if isinstance(effect, Disable):
                assert effect.p95_s > effect.limit_s
                assert effect.answers >= LIMITS.least_answers
                assert LIMITS.off_s <= effect.off_s <= LIMITS.most_off_s
        for record in self.world.state.models.values():
            assert len(record.answers) <= LIMITS.most_answers
            if record.off:
                assert self.world.now < record.off.until <= self.world.now + LIMITS.most_off_s

    @invariant()
    def the_next_wake_is_the_first_end(self) -> None:
        due = wake_at(self.world.state)
        ends = [r.off.until for r in self.world.state.models.values() if r.off]
        assert due == min(ends, default=None)


TestAnswering = Answering.TestCase
TestAnswering.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)

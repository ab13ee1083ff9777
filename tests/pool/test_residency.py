"""A model that is needed often is resident, where it fits; it comes and goes by a margin."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lumbre.pool.guards.residency import (
    Candidate,
    Demand,
    Earn,
    Effect,
    Event,
    Limits,
    Lose,
    Offered,
    Passed,
    PersonaScored,
    State,
    TaskDone,
    Tell,
    decide,
)

LIMITS = Limits(long_tokens=4096, least_tasks=20, half_life_s=86_400)
LONG: frozenset[Demand] = frozenset({"long_context"})
PERSONA: frozenset[Demand] = frozenset({"persona"})


class World:
    """Tasks and scores on a virtual clock."""

    def __init__(self, *candidates: Candidate) -> None:
        self.state = State(LIMITS)
        self.now = 0.0
        self.effects: list[Effect] = []
        self.offer(*candidates)

    def happened(self, event: Event) -> tuple[Effect, ...]:
        self.state, effects = decide(self.state, event)
        self.effects += effects
        return effects

    def offer(self, *candidates: Candidate) -> None:
        self.happened(Offered(self.now, candidates))

    def tasks(self, short: int = 0, long: int = 0) -> None:
        for tokens in [500] * short + [9000] * long:
            self.happened(TaskDone(self.now, tokens))
            self.look()

    def score(self, adherence: float, target: float = 0.8) -> None:
        self.happened(PersonaScored(self.now, adherence, target))
        self.look()

    def look(self) -> None:
        """Offer the same models again."""
        self.offer(*self.state.candidates)


def test_more_than_fifteen_long_tasks_of_a_hundred_earn_a_place() -> None:
    world = World(Candidate("moe", LONG, fits=True))
    world.tasks(short=85, long=15)
    assert world.effects == []
    world.tasks(long=1)
    (earned,) = world.effects
    assert isinstance(earned, Earn)
    assert (earned.model, earned.demand, earned.threshold) == ("moe", "long_context", 0.15)
    assert earned.figure > 0.15


def test_the_trigger_makes_a_task_long_whatever_its_tokens() -> None:
    world = World(Candidate("moe", LONG, fits=True))
    world.tasks(short=20)
    for _ in range(5):
        world.happened(TaskDone(world.now, 10, is_long=True))
        world.look()
    assert world.state.earned == {"moe"}


def test_a_few_tasks_prove_nothing() -> None:
    world = World(Candidate("moe", LONG, fits=True))
    world.tasks(long=19)
    assert world.effects == []


def test_it_loses_its_place_a_margin_below_where_it_earned_it() -> None:
    world = World(Candidate("moe", LONG, fits=True))
    world.tasks(short=80, long=20)
    world.tasks(short=60)
    assert 0.12 < world.state.share < 0.15
    assert world.state.earned == {"moe"}
    world.tasks(short=10)
    assert world.effects[1:] == [Lose("moe", "long_context")]


def test_a_place_is_lost_when_nobody_has_asked_for_long_enough() -> None:
    world = World(Candidate("moe", LONG, fits=True))
    world.tasks(short=20, long=20)
    world.happened(Passed(world.now + 1.5 * 86_400))
    assert 10 < world.state.tasks < LIMITS.least_tasks
    assert world.state.earned == {"moe"}
    world.happened(Passed(world.now + 4 * 86_400))
    assert world.state.earned == set()


def test_old_tasks_count_less_than_new_ones() -> None:
    world = World(Candidate("moe", LONG, fits=True))
    world.tasks(short=200)
    world.now += 5 * 86_400
    world.tasks(short=20, long=6)
    assert world.state.earned == {"moe"}


def test_persona_five_percent_under_its_target_earns_a_place_for_one_that_reasons() -> None:
    world = World(Candidate("long", LONG, fits=True), Candidate("thinks", PERSONA, fits=True))
    world.score(0.77)
    assert world.effects == []
    world.score(0.76)
    (earned,) = world.effects
    assert isinstance(earned, Earn)
    assert (earned.model, earned.demand, earned.figure) == ("thinks", "persona", 0.76)
    world.score(0.78)
    assert len(world.effects) == 1, "within the margin nothing changes"
    world.score(0.79)
    assert world.effects[1:] == [Lose("thinks", "persona")]


def test_one_that_does_not_fit_is_named_once_and_earns_its_place_when_it_does() -> None:
    world = World(Candidate("moe", LONG, fits=False))
    world.tasks(short=10, long=40)
    (said,) = world.effects
    assert isinstance(said, Tell)
    assert (said.demand, said.model) == ("long_context", "moe")
    world.offer(Candidate("moe", LONG, fits=True))
    assert [type(effect) for effect in world.effects] == [Tell, Earn]


def test_a_need_that_comes_back_is_told_again() -> None:
    world = World()
    for _ in range(2):
        world.score(0.5)
        world.score(0.6)
        world.score(0.9)
    assert [effect.demand for effect in world.effects if isinstance(effect, Tell)] == [
        "persona",
        "persona",
    ]
    assert all(effect.model is None for effect in world.effects if isinstance(effect, Tell))


def test_one_model_for_both_needs_keeps_its_place_until_both_have_passed() -> None:
    world = World(
        Candidate("other", PERSONA, fits=True), Candidate("both", LONG | PERSONA, fits=True)
    )
    world.tasks(short=10, long=10)
    world.score(0.5)
    assert [effect for effect in world.effects if isinstance(effect, Earn)] == world.effects
    assert world.state.earned == {"both"}
    world.tasks(short=200)
    assert world.state.earned == {"both"}
    world.score(0.9)
    assert world.effects[1:] == [Lose("both", "persona")]


def test_a_model_that_is_no_candidate_any_more_makes_room_for_the_next() -> None:
    world = World(Candidate("moe", LONG, fits=True))
    world.tasks(short=10, long=10)
    world.offer(Candidate("other", LONG, fits=True))
    assert world.effects[1] == Lose("moe", "long_context", is_gone=True)
    assert world.state.earned == {"other"}


CANDIDATES = st.lists(
    st.builds(
        Candidate,
        model=st.sampled_from(["a", "b"]),
        demands=st.sampled_from([LONG, PERSONA, LONG | PERSONA]),
        fits=st.booleans(),
    ),
    max_size=2,
    unique_by=lambda candidate: candidate.model,
)


class Needing(RuleBasedStateMachine):
    """Tasks, scores and models come and go; places follow the demands."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.places: set[str] = set()

    def keep(self, effects: Sequence[Effect]) -> None:
        """Do what was decided, as a pool would, and hold it to what is possible."""
        for effect in effects:
            match effect:
                case Earn(model, demand, figure, threshold):
                    assert model not in self.places, "earned twice"
                    offered = {c.model: c for c in self.world.state.candidates}
                    assert offered[model].fits
                    assert demand in offered[model].demands
                    margin = LIMITS.margin_share  # a demand may be older than its place
                    if demand == "long_context":
                        assert figure > threshold - margin
                    else:
                        assert figure <= threshold + margin
                    self.places.add(model)
                case Lose(model):
                    self.places.remove(model)

    @rule(short=st.integers(0, 15), long=st.integers(0, 15))
    def tasks_are_done(self, short: int, long: int) -> None:
        before = len(self.world.effects)
        self.world.tasks(short, long)
        self.keep(self.world.effects[before:])

    @rule(adherence=st.sampled_from([0.5, 0.75, 0.77, 0.8, 0.95]))
    def hard_tests_are_run(self, adherence: float) -> None:
        before = len(self.world.effects)
        self.world.score(adherence)
        self.keep(self.world.effects[before:])

    @rule(candidates=CANDIDATES)
    def models_come_and_go(self, candidates: list[Candidate]) -> None:
        self.keep(self.world.happened(Offered(self.world.now, tuple(candidates))))

    @rule(hours=st.sampled_from([1, 24, 240]))
    def time_passes(self, hours: int) -> None:
        self.world.now += hours * 3600
        self.keep(self.world.happened(Passed(self.world.now)))
        self.keep(self.world.happened(Offered(self.world.now, self.world.state.candidates)))

    @invariant()
    def places_are_what_the_effects_made_of_them(self) -> None:
        assert self.world.state.earned == self.places

    @invariant()
    def every_place_has_its_need_and_its_candidate(self) -> None:
        state = self.world.state
        for demand, model in state.places.items():
            assert demand in state.demanded
            assert any(c.model == model and demand in c.demands for c in state.candidates)

    @invariant()
    def a_need_without_a_place_has_been_told(self) -> None:
        state = self.world.state
        assert state.demanded == frozenset(state.places) | state.told
        assert not frozenset(state.places) & state.told

    @invariant()
    def a_long_need_is_not_kept_beyond_its_margin(self) -> None:
        state = self.world.state
        if "long_context" in state.demanded:
            assert state.share > LIMITS.long_share - LIMITS.margin_share
        elif round(state.tasks) >= LIMITS.least_tasks:
            assert state.share <= LIMITS.long_share


TestNeeding = Needing.TestCase
TestNeeding.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_nobody_is_given_a_place_before_it_was_looked_at() -> None:
    state = State(LIMITS)
    for _ in range(30):
        state, effects = decide(state, TaskDone(0, 9000))
        assert effects == ()
    _, effects = decide(state, Offered(0, (Candidate("moe", LONG, fits=True),)))
    assert [type(effect) for effect in effects] == [Earn]


NEEDED = World(Candidate("moe", LONG, fits=True))
NEEDED.tasks(short=83, long=17)


@given(st.lists(st.booleans(), max_size=30))
def test_around_its_threshold_a_place_does_not_come_and_go(order: list[bool]) -> None:
    """A share that stays between the two thresholds changes nothing."""
    world = World()
    world.state, world.effects = NEEDED.state, list(NEEDED.effects)
    before = len(world.effects)
    for is_long in order:
        world.tasks(long=1) if is_long else world.tasks(short=5)
        if not world.state.share > 0.12:
            return
    assert len(world.effects) == before

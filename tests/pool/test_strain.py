"""The primary gives way to long speech, never longer than its bound, and not with every breath."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lumbre.pool.guards.strain import (
    Divert,
    Effect,
    Event,
    Limits,
    Passed,
    Restore,
    SpeechBegan,
    SpeechEnded,
    State,
    decide,
    wake_at,
)

LIMITS = Limits(busy_s=10, pause_s=1, quiet_s=5, most_s=60)
ROUNDING_S = 1e-6


class World:
    """Speech on a virtual clock, looked at whenever a wake is due."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.state = State(limits)
        self.now = 0.0
        self.seen: list[tuple[float, Effect]] = []

    def happened(self, event: Event) -> None:
        self.state, effects = decide(self.state, event)
        self.seen += [(self.now, effect) for effect in effects]

    def wait(self, seconds: float) -> None:
        """Time passes; every wake that falls due is kept."""
        end = self.now + seconds
        while (due := wake_at(self.state)) is not None and due <= end:
            self.now = max(self.now, due)
            before = self.state
            self.happened(Passed(self.now))
            assert self.state != before, "woken, and nothing was to be done"
        self.now = end
        self.happened(Passed(self.now))

    def speak(self, seconds: float, source: str = "") -> None:
        self.happened(SpeechBegan(self.now, source))
        self.wait(seconds)
        self.happened(SpeechEnded(self.now, source))

    @property
    def told(self) -> list[tuple[float, str]]:
        return [(at, e.why if isinstance(e, Restore) else "divert") for at, e in self.seen]


def test_speech_of_ten_seconds_diverts_at_the_tenth_and_quiet_ends_it() -> None:
    world = World()
    world.speak(12)
    world.wait(30)
    assert world.told == [(10, "divert"), (17, "quiet")]


def test_a_breath_belongs_to_the_stretch_and_a_pause_begins_a_new_one() -> None:
    breathing, pausing = World(), World()
    for _ in range(4):
        for world, gap_s in ((breathing, 0.5), (pausing, 1.5)):
            world.speak(4)
            world.wait(gap_s)
    assert breathing.told == [(10, "divert")]
    assert pausing.told == []


def test_a_short_quiet_does_not_end_a_diversion() -> None:
    world = World()
    world.speak(11)
    world.wait(4.9)
    world.speak(1)
    world.wait(4.9)
    assert world.told == [(10, "divert")]
    world.wait(0.2)
    assert world.told[1:] == [(21.9, "quiet")]


def test_a_diversion_ends_at_its_bound_and_comes_again_only_after_quiet() -> None:
    world = World()
    world.speak(200)
    assert world.told == [(10, "divert"), (70, "bound")]
    world.wait(2)
    world.speak(30)
    assert len(world.told) == 2, "the bound would be none if the next breath began another"
    world.wait(6)
    world.speak(11)
    assert world.told[2:] == [(248, "divert")]


def test_speech_that_never_ends_keeps_the_primary_away_once() -> None:
    world = World()
    world.happened(SpeechBegan(0, "crashed"))
    world.wait(100_000)
    assert world.told == [(10, "divert"), (70, "bound")]


def test_two_who_speak_in_turns_are_one_stretch() -> None:
    world = World()
    world.happened(SpeechBegan(world.now, "a"))
    world.wait(6)
    world.happened(SpeechBegan(world.now, "b"))
    world.happened(SpeechEnded(world.now, "a"))
    world.wait(6)
    assert world.told == [(10, "divert")]


def test_without_a_wait_it_diverts_and_restores_at_once() -> None:
    world = World(Limits(busy_s=0, pause_s=0, quiet_s=0))
    world.happened(SpeechBegan(0))
    assert world.state.is_diverted
    world.happened(SpeechEnded(0))
    assert world.told == [(0, "divert"), (0, "quiet")]


def test_an_end_without_a_beginning_says_nothing() -> None:
    world = World()
    world.speak(5)
    world.happened(SpeechEnded(world.now, "who"))
    world.wait(3)
    world.happened(SpeechEnded(world.now))
    world.wait(3)
    world.speak(5)
    assert world.told == []


def test_a_source_that_crashed_is_forgotten_and_others_are_heard_again() -> None:
    world = World()
    world.happened(SpeechBegan(0, "crashed"))
    world.wait(100)
    assert not world.state.speaking
    assert world.state.phase == "calm"
    world.speak(12, "other")
    world.wait(30)
    assert world.told == [(10, "divert"), (70, "bound"), (110, "divert"), (117, "quiet")]


def test_beside_one_that_crashed_only_the_quiet_of_the_others_counts() -> None:
    world = World()
    world.happened(SpeechBegan(0, "crashed"))
    world.wait(40)
    world.speak(60, "other")
    phases = []
    for seconds in (4.9, 0.2):  # the other was heard until 100
        world.wait(seconds)
        phases.append(world.state.phase)
    assert phases == ["spent", "calm"]


def test_a_source_that_says_again_that_it_works_is_not_forgotten() -> None:
    world = World()
    for _ in range(10):
        world.happened(SpeechBegan(world.now, "alive"))
        world.wait(50)
        assert "alive" in world.state.speaking
    assert world.told == [(10, "divert"), (70, "bound")]


def test_a_bound_below_what_begins_a_diversion_hinders_none() -> None:
    world = World(Limits(busy_s=10, pause_s=1, quiet_s=5, most_s=2))
    world.speak(30)
    assert world.told == [(10, "divert"), (12, "bound")]


class Speaking(RuleBasedStateMachine):
    """Anybody speaks at any time; what must hold, holds at each moment."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.late = State(LIMITS)

    def happened(self, event: Event) -> None:
        self.world.happened(event)
        self.late, _ = decide(self.late, event)

    @rule(source=st.sampled_from("ab"))
    def somebody_begins(self, source: str) -> None:
        self.happened(SpeechBegan(self.world.now, source))

    @rule(source=st.sampled_from("abc"))
    def somebody_ends(self, source: str) -> None:
        self.happened(SpeechEnded(self.world.now, source))

    @rule(seconds=st.sampled_from([0.3, 0.9, 2.0, 7.0, 25.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule()
    def everybody_crashes(self) -> None:
        """Nobody ends: after two bounds and a quiet, speech is heard as ever."""
        self.world.wait(2 * LIMITS.most_s + LIMITS.quiet_s + LIMITS.busy_s)
        assert self.world.state.phase == "calm"
        assert not self.world.state.speaking

    @invariant()
    def who_looks_only_when_something_happened_finds_the_same(self) -> None:
        assert decide(self.late, Passed(self.world.now))[0] == self.world.state

    @invariant()
    def beginnings_and_ends_alternate(self) -> None:
        kinds = [isinstance(effect, Divert) for _, effect in self.world.seen]
        assert kinds == [at % 2 == 0 for at in range(len(kinds))]
        assert self.world.state.is_diverted == (len(kinds) % 2 == 1)

    @invariant()
    def it_lasts_no_longer_than_its_bound(self) -> None:
        for _, effect in self.world.seen:
            if isinstance(effect, Restore):
                assert effect.diverted_s <= LIMITS.most_s + ROUNDING_S
            else:
                assert effect.busy_s >= LIMITS.busy_s - ROUNDING_S
        state = self.world.state
        if state.is_diverted:
            assert self.world.now - state.diverted_since < LIMITS.most_s

    @invariant()
    def between_two_diversions_speech_was_quiet(self) -> None:
        restored = None
        for at, effect in self.world.seen:
            if isinstance(effect, Restore):
                restored = at, effect.why
            elif restored is not None:
                after_s = LIMITS.quiet_s if restored[1] == "bound" else 0
                assert at - restored[0] >= after_s + LIMITS.busy_s - ROUNDING_S


TestSpeaking = Speaking.TestCase
TestSpeaking.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.lists(st.floats(0.0, 9.0), max_size=12))
def test_no_stretch_that_is_short_ever_diverts(lengths: list[float]) -> None:
    world = World()
    for length in lengths:
        world.speak(length)
        world.wait(1.1)
    assert not world.seen


@given(st.floats(0, 50), st.floats(0, 50))
def test_a_clock_that_goes_back_changes_nothing(first: float, back: float) -> None:
    state, _ = decide(State(LIMITS), SpeechBegan(first))
    assert decide(state, Passed(first - back)) == decide(state, Passed(first))

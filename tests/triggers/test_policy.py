"""A trigger is answered once: refused at once, or begun, ended in time, and answered after that."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lumbre.core.signals import TriggerName
from lumbre.triggers.policy import (
    Able,
    Answer,
    Begin,
    Closed,
    Effect,
    Ended,
    Event,
    Passed,
    Sent,
    State,
    Stop,
    Withdrawn,
    decide,
    wake_at,
)

JUDGE: TriggerName = "Eval.NeedJudge"
PLAN: TriggerName = "Plan.Generate"
LISTED = State(listed=frozenset({JUDGE}), timeout_s=30)
MOE = (Able("moe"),)
MODELS = [Able("a"), Able("b"), Able("off", is_off=True)]


def run(*events: Event, state: State = LISTED) -> tuple[State, list[Effect]]:
    seen: list[Effect] = []
    for event in events:
        state, effects = decide(state, event)
        seen += effects
    return state, seen


def test_a_trigger_that_is_not_listed_begins_nothing() -> None:
    state, seen = run(Sent(0, 1, PLAN, MOE))
    assert seen == [Answer(1, "not_listed")]
    assert not state.chains


def test_without_a_model_the_answer_says_so() -> None:
    _, seen = run(Sent(0, 1, JUDGE, ()))
    assert seen == [Answer(1, "no_model")]


def test_the_first_that_is_not_left_out_is_asked() -> None:
    _, seen = run(Sent(0, 1, JUDGE, (Able("moe", is_off=True), Able("other"))))
    assert seen == [Begin(1, "other")]


def test_if_all_are_left_out_the_best_is_named() -> None:
    _, seen = run(Sent(0, 1, JUDGE, (Able("moe", is_off=True), Able("other", is_off=True))))
    assert seen == [Answer(1, "disabled", "moe")]


def test_it_is_stopped_when_its_time_is_over_and_answered_when_the_work_has_ended() -> None:
    state, seen = run(Sent(0, 1, JUDGE, MOE), Passed(29.9))
    assert wake_at(state) == 30
    state, seen = run(Passed(30), state=state)
    assert seen == [Stop(1)]
    assert wake_at(state) is None
    _, seen = run(Ended(30.1, 1, ok=False), state=state)
    assert seen == [Answer(1, "too_long", "moe")]


def test_an_answer_that_was_whole_at_the_last_moment_counts() -> None:
    _, seen = run(Sent(0, 1, JUDGE, MOE), Passed(30), Ended(30, 1, ok=True))
    assert seen[-1] == Answer(1, "done", "moe")


def test_closing_stops_each_and_takes_no_more() -> None:
    state, seen = run(Sent(0, 1, JUDGE, MOE), Sent(0, 2, JUDGE, MOE), Closed(5))
    assert seen[2:] == [Stop(1), Stop(2)]
    _, seen = run(Sent(6, 3, JUDGE, MOE), Ended(6, 1, ok=False), state=state)
    assert seen == [Answer(3, "stopping"), Answer(1, "stopping", "moe")]


def test_a_caller_that_leaves_ends_its_own_work_alone() -> None:
    _, seen = run(Sent(0, 1, JUDGE, MOE), Sent(0, 2, JUDGE, MOE), Withdrawn(1, 2))
    assert seen[2:] == [Stop(2)]


class Sending(RuleBasedStateMachine):
    """Triggers come, work ends or does not, callers leave, time passes, the household closes."""

    def __init__(self) -> None:
        super().__init__()
        self.state = LISTED
        self.now = 0.0
        self.sent: list[int] = []
        self.working: dict[int, float] = {}
        self.stopped: set[int] = set()
        self.answers: Counter[int] = Counter()

    def happened(self, event: Event) -> None:
        self.state, effects = decide(self.state, event)
        for effect in effects:
            match effect:
                case Begin(number, model):
                    assert not self.state.closing
                    assert model != "off"
                    self.working[number] = self.now
                case Stop(number):
                    assert number in self.working
                    assert number not in self.stopped
                    self.stopped.add(number)
                case Answer(number):
                    assert number not in self.working, "answered while the work went on"
                    self.answers[number] += 1

    @rule(trigger=st.sampled_from([JUDGE, PLAN]),
          able=st.lists(st.sampled_from(MODELS), max_size=2))  # fmt: skip
    def somebody_sends(self, trigger: TriggerName, able: list[Able]) -> None:
        number = len(self.sent) + 1
        self.sent.append(number)
        self.happened(Sent(self.now, number, trigger, tuple(able)))
        assert trigger == JUDGE or number not in self.working

    @precondition(lambda self: self.working)
    @rule(data=st.data(), ok=st.booleans())
    def work_ends(self, data: st.DataObject, ok: bool) -> None:
        number = data.draw(st.sampled_from(sorted(self.working)))
        del self.working[number]
        self.happened(Ended(self.now, number, ok))

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def a_caller_leaves(self, data: st.DataObject) -> None:
        self.happened(Withdrawn(self.now, data.draw(st.sampled_from(self.sent))))

    @rule(seconds=st.sampled_from([0.0, 5.0, 29.0, 31.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.happened(Passed(self.now))

    @rule()
    def the_household_closes(self) -> None:
        self.happened(Closed(self.now))

    @invariant()
    def each_has_one_answer_or_is_at_work(self) -> None:
        for number in self.sent:
            assert self.answers[number] + (number in self.working) == 1
        assert set(self.state.chains) == set(self.working)

    @invariant()
    def none_goes_on_beyond_its_time(self) -> None:
        for number, begun in self.working.items():
            if self.now >= begun + LISTED.timeout_s or self.state.closing:
                assert number in self.stopped

    @invariant()
    def the_next_wake_is_the_first_end(self) -> None:
        due = [b + LISTED.timeout_s for n, b in self.working.items() if n not in self.stopped]
        assert wake_at(self.state) == min(due, default=None)


TestSending = Sending.TestCase
TestSending.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)

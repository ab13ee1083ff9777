"""A worker that gets on is never held for still; one that stands still is found within 10 s."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.errors import WorkerFailed
from lumbre.pool.health import (
    ASK_S,
    LIGHT_S,
    LOOK_S,
    SPIN_S,
    STEP_S,
    STILL_S,
    Alive,
    Answer,
    Ask,
    Look,
    StandsStill,
    Track,
    Verdict,
    judge,
)

FOUND_S = STILL_S + 2 * LOOK_S
"""From the last sign of life to the verdict, with looks every second."""

QUIET = Look(now_s=0.0, is_busy=False, progress=0, broken=0, cpu_s=0.0, state="S")


def test_the_bound_is_under_ten_seconds() -> None:
    assert FOUND_S < 10
    assert ASK_S + LOOK_S + LIGHT_S + LOOK_S < STILL_S, "no time is left for a token"


@dataclass
class World:
    """A worker on a clock of its own, looked at as the watch does."""

    now_s: float = 0.0
    track: Track | None = None
    seen: Look = QUIET
    asked: list[bool] = field(default_factory=list)
    """Questions put to it, by token or not."""

    def look(self, after_s: float = LOOK_S, **changed: object) -> Verdict:
        self.now_s += after_s
        self.seen = replace(self.seen, now_s=self.now_s, **changed)  # type: ignore[arg-type]
        self.track, verdict = judge(self.track, self.seen)
        if isinstance(verdict, Ask):
            self.asked.append(verdict.by_token)
            self.seen = replace(self.seen, is_asked=True, is_busy=True)
        return verdict

    def answer(self, outcome: str, reason: str = "") -> None:
        """To the question under way."""
        said = Answer(len(self.asked), self.asked[-1], outcome, reason)  # type: ignore[arg-type]
        self.seen = replace(self.seen, answer=said, is_asked=False, is_busy=False)

    def until_still(self, limit_s: float = FOUND_S) -> StandsStill:
        end_s = self.now_s + limit_s
        while self.now_s < end_s:
            verdict = self.look()
            if isinstance(verdict, StandsStill):
                return verdict
        raise AssertionError(f"not found within {limit_s} s")


def idle(looks: int) -> World:
    """A worker that was asked and answered for a while."""
    world = World()
    for _ in range(looks):
        world.look()
        if world.seen.is_asked:
            world.answer("proved")
    return world


signs = st.lists(
    st.tuples(
        st.floats(0.2, 1.8),  # a look late or early
        st.sampled_from(["token", "cpu", "nothing", "nothing", "nothing", "trickle"]),
        st.booleans(),
    ),
    max_size=60,
)


@given(signs)
def test_busy_or_not_the_time_without_a_sign_decides_and_nothing_else(
    moves: list[tuple[float, str, bool]],
) -> None:
    """Never before `STILL_S` have passed without movement, always when they have."""
    world = World()
    world.look(0.0, is_busy=True)
    moved_s = 0.0
    mark_s = 0.0
    for after_s, sign, is_busy in moves:
        progress, cpu_s = world.seen.progress, world.seen.cpu_s
        progress += sign == "token"
        cpu_s += {"cpu": STEP_S, "trickle": STEP_S / 7}.get(sign, 0.0)
        verdict = world.look(after_s, is_busy=is_busy, progress=progress, cpu_s=cpu_s)
        if cpu_s >= mark_s + STEP_S or sign == "token":
            moved_s = world.now_s
        if cpu_s >= mark_s + STEP_S:
            mark_s = cpu_s
        unmoved_s = world.now_s - moved_s
        if abs(unmoved_s - STILL_S) > 1e-6:
            assert isinstance(verdict, StandsStill) == (unmoved_s > STILL_S)


@given(stop_s=st.floats(0, 60), busy=st.booleans(), first_s=st.floats(0.01, 0.99))
def test_wherever_between_two_looks_it_stops_it_is_found_in_time(
    stop_s: float, *, busy: bool, first_s: float
) -> None:
    world = World(now_s=first_s)
    world.look(0.0, is_busy=busy)
    while world.now_s < stop_s + FOUND_S + 1:
        works = world.now_s + LOOK_S <= stop_s
        if busy:
            verdict = world.look(progress=world.seen.progress + works)
        else:
            verdict = world.look()
            if world.seen.is_asked and works:
                world.answer("proved")
        if isinstance(verdict, StandsStill):
            assert world.now_s <= max(stop_s, first_s) + FOUND_S
            return
    raise AssertionError("never found")


@given(
    late_s=st.lists(st.floats(0.0, LIGHT_S - 0.1), min_size=1, max_size=20),
    looks=st.integers(20, 300),
)
def test_an_idle_worker_that_answers_in_time_is_alive_for_ever_and_draws_no_token(
    late_s: list[float], looks: int
) -> None:
    world = World()
    answers_at_s = float("inf")
    for step in range(looks):
        if world.seen.is_asked and world.now_s + LOOK_S >= answers_at_s:
            world.answer("proved")
        was_asked = len(world.asked)
        assert not isinstance(world.look(), StandsStill)
        if len(world.asked) > was_asked:
            answers_at_s = world.now_s + late_s[step % len(late_s)]
    assert not any(world.asked)


def test_a_worker_that_reads_a_long_prompt_is_alive_for_hours() -> None:
    world = World()
    for second in range(4 * 3600):
        cpu_s = 0.98 * second
        assert world.look(is_busy=True, cpu_s=cpu_s, state="R") == Alive()
    for second in range(5):  # and when its caller has left, in the middle of a batch
        assert not isinstance(world.look(is_busy=False, cpu_s=cpu_s + second), StandsStill)


def test_work_that_ends_is_no_sign_any_more() -> None:
    world = World()
    for second in range(10):
        world.look(is_busy=True, cpu_s=float(second))
    assert world.until_still()


def test_a_thread_that_only_wakes_to_look_around_is_no_sign() -> None:
    world = World()
    world.look(0.0, is_busy=True)
    for second in range(1, 8):
        assert world.look(cpu_s=second * STEP_S / 60) == Alive()
    assert isinstance(world.look(cpu_s=8 * STEP_S / 60), StandsStill)


def test_tokens_alone_are_life_where_the_work_is_done_on_a_card() -> None:
    world = World()
    for second in range(3600):
        assert world.look(is_busy=True, progress=second // 5) == Alive()


def test_a_laptop_that_slept_has_not_stood_still() -> None:
    world = World()
    world.look(is_busy=True)
    for hours_s in (8 * 3600.0, 60.0, 9.0):
        assert world.look(hours_s, is_busy=True) == Alive()
        world.look(progress=world.seen.progress + 1)


def test_who_stopped_before_the_laptop_slept_is_found_after_it() -> None:
    world = idle(10)
    world.look(8 * 3600.0)
    assert world.until_still()


def test_an_idle_worker_is_asked_every_three_seconds_lightly() -> None:
    world = idle(30)
    assert world.asked == [False] * 10


def test_a_token_decides_where_the_light_question_stays_unanswered() -> None:
    world = idle(9)
    while not world.seen.is_asked:
        world.look()
    world.look()
    world.answer("silent")
    assert world.look() == Ask(by_token=True)
    world.answer("proved")
    assert world.look() == Alive()
    for _ in range(30):
        world.look()
        if world.seen.is_asked:
            world.answer("proved")
    assert world.asked.count(True) == 1


def test_a_token_that_takes_long_is_waited_for_while_it_is_computed() -> None:
    """A model whose weights have to be read from the disk again."""
    world = idle(9)
    world.look(broken=1)
    assert world.asked[-1]
    for second in range(60):
        assert world.look(cpu_s=0.1 * second) == Alive()
    world.answer("proved")
    assert world.look() == Alive()


def test_what_computes_for_nobody_and_answers_nothing_ends_in_the_end() -> None:
    world = idle(9)
    begun_s = world.now_s
    while not isinstance(verdict := world.look(cpu_s=world.now_s), StandsStill):
        if world.seen.is_asked and not world.asked[-1]:
            world.answer("silent")
        assert world.now_s < begun_s + SPIN_S + 10
    assert world.now_s > begun_s + SPIN_S - 10
    assert verdict.how == "spins"


def test_who_broke_off_an_answer_is_asked_for_a_token_even_if_it_turns() -> None:
    world = idle(9)
    asked = len(world.asked)
    world.look(broken=1)
    assert world.asked[asked:] == [True]
    world.answer("proved")
    for _ in range(6):
        world.look()
        if world.seen.is_asked:
            world.answer("proved")
    assert not any(world.asked[asked + 1 :])


def test_tokens_for_another_request_take_the_doubt_away() -> None:
    world = idle(9)
    world.look(is_busy=True, broken=1)
    world.look(is_busy=True, progress=5)
    assert world.look(is_busy=False) == Alive()


def test_an_error_instead_of_a_token_again_and_again_is_a_verdict_with_its_reason() -> None:
    world = idle(9)
    world.look(broken=1)
    begun_s = world.now_s
    while True:
        world.answer("refused", "internal error")
        verdict = world.look(broken=world.seen.broken + 1)
        if isinstance(verdict, StandsStill):
            break
        assert verdict == Ask(by_token=True)
    assert world.now_s - begun_s <= FOUND_S
    assert "internal error" in verdict.reason


@pytest.mark.parametrize(
    ("is_busy", "state", "words"),
    [(True, "T", "stopped"), (True, "S", "request in hand"), (False, "S", "no sign of life")],
)
def test_the_reason_says_how_it_stands_still_and_for_how_long(
    *, is_busy: bool, state: str, words: str
) -> None:
    world = World()
    world.look(0.0)
    world.seen = replace(world.seen, is_busy=is_busy, state=state)
    verdict = world.until_still()
    assert words in verdict.reason
    assert verdict.for_s == pytest.approx(8.0)


def test_who_waited_reads_the_reason_in_his_language() -> None:
    told = WorkerFailed(model="m", reason=StandsStill(8.0, "refuses", "no slot").reason, log="l")
    for language, words in (("en", "for 8.0 s"), ("es", "durante 8,0 s"), ("ru", "8,0 с")):
        assert words in told.message(language)  # type: ignore[arg-type]
        assert "no slot" in told.message(language)  # type: ignore[arg-type]


def test_one_that_goes_on_before_the_limit_lives_on() -> None:
    world = World()
    world.look(0.0, is_busy=True, state="T")
    for _ in range(7):
        assert world.look() == Alive()
    for second in range(30):
        assert world.look(progress=second + 1, state="S") == Alive()


def test_processor_time_that_falls_is_the_end_of_a_child_and_no_movement() -> None:
    world = World()
    world.look(0.0, is_busy=True, cpu_s=100.0)
    world.look(cpu_s=3.0)
    for second in range(20):
        assert world.look(cpu_s=3.0 + 0.1 * second) == Alive()
    world.look(cpu_s=1.0)
    assert world.until_still()

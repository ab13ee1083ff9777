"""A worker is worth more the dearer its reload, the oftener and the later it was asked for."""

import math
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from lumbre.pool.policy.state import Loaded, State, Terms
from lumbre.pool.policy.use import Use, asked
from lumbre.pool.policy.worth import expected_cost

GAPS_S = st.lists(st.floats(0.01, 1e6), max_size=40)


def used(gaps_s: list[float]) -> tuple[Use, float]:
    """A use after a first request and one more after each gap, and when that was."""
    now = 1000.0
    use = asked(Use.expected(6.0), now)
    for gap_s in gaps_s:
        now += gap_s
        use = asked(use, now)
    return use, now


def worth(use: Use, now: float, reload_s: float = 2.0) -> float:
    loaded = Loaded(1, "m", Terms(need={"cpu": 1}, reload_s=reload_s), phase="ready")
    return expected_cost(loaded, State(now=now, use={"m": use}))


@settings(deadline=None)
@given(GAPS_S, st.floats(0, 1e7))
def test_a_worth_is_a_finite_number_above_nothing(gaps_s: list[float], idle_s: float) -> None:
    use, now = used(gaps_s)
    assert 0 < worth(use, now + idle_s) < math.inf


@settings(deadline=None)
@given(GAPS_S, st.floats(0.1, 100))
def test_it_grows_as_the_reload_does(gaps_s: list[float], reload_s: float) -> None:
    use, now = used(gaps_s)
    assert math.isclose(worth(use, now, 3 * reload_s), 3 * worth(use, now, reload_s))


@settings(deadline=None)
@given(GAPS_S, st.floats(0, 1e6), st.floats(1, 1e6))
def test_it_falls_while_nobody_asks(gaps_s: list[float], idle_s: float, more_s: float) -> None:
    use, now = used(gaps_s)
    assert worth(use, now + idle_s + more_s) < worth(use, now + idle_s)


@settings(deadline=None)
@given(GAPS_S, st.floats(0.01, 1e6))
def test_a_request_never_makes_it_less(gaps_s: list[float], gap_s: float) -> None:
    use, now = used(gaps_s)
    assert worth(asked(use, now + gap_s), now + gap_s) >= worth(use, now + gap_s)


@settings(deadline=None)
@given(st.integers(2, 40), st.floats(1, 1e4))
def test_who_is_asked_for_twice_as_often_is_worth_more(times: int, gap_s: float) -> None:
    (often, now), (rarely, later) = used([gap_s] * times), used([2 * gap_s] * times)
    assert worth(often, now + gap_s) > worth(rarely, later + gap_s)


def test_a_favourite_of_last_week_gives_way_to_one_in_use_since() -> None:
    favourite, now = used([10.0] * 500)
    fresh = Use.expected(6.0)
    now += 3600
    for _ in range(10):
        now += 60
        fresh = asked(fresh, now)
    assert worth(fresh, now) > worth(favourite, now)


def test_what_was_expected_counts_at_first_and_hardly_any_more_later() -> None:
    def both(asks: int) -> float:
        """How many times more one is worth that was expected a hundred times as often."""
        uses = [Use.expected(rate) for rate in (60.0, 0.6)]
        for at in range(asks):
            uses = [asked(use, 600.0 * at) for use in uses]
        often, rarely = (worth(use, 600.0 * asks) for use in uses)
        return often / rarely

    assert both(1) > 2
    assert both(10) < 1.1


def test_a_model_nobody_asked_for_yet_is_worth_what_was_expected() -> None:
    eager = Loaded(1, "m", Terms(need={"cpu": 1}, reload_s=2.0, requests_per_hour=6.0))
    state = State(now=50.0)
    assert math.isclose(expected_cost(eager, state), 12.0)
    rare = replace(eager, terms=replace(eager.terms, requests_per_hour=0.0))
    assert expected_cost(rare, state) == 0.0


def test_a_clock_that_stands_still_or_steps_back_breaks_nothing() -> None:
    use, now = used([0.0, 0.0])
    assert worth(asked(use, now - 5), now - 9) > 0

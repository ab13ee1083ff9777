"""On small households the plan is within 5 % of the best of all ways there are."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lumbre.core.machine import Host
from lumbre.planner.place import expected_s, place
from lumbre.planner.wish import Wish
from tests.planner.toys import Exhaustive, estimate, households, limits_of, machines


@given(st.data(), machines, households())
@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
def test_it_is_within_a_twentieth_of_the_best_there_is(
    data: st.DataObject, machine: Host, wishes: tuple[Wish, ...]
) -> None:
    limits = data.draw(limits_of(machine))
    plan = place(wishes, machine, limits, estimate)
    every = Exhaustive(machine, limits)
    placed, lends = every.placed(wishes)
    assert {planned.id for planned in plan.models} == {wish.id for wish in placed}
    assert {refused.id for refused in plan.refused} == {w.id for w in wishes if w not in placed}
    if placed:
        least_s = every.least_s(placed, lends=lends)
        assert least_s is not None
        assert expected_s(plan, wishes) <= 1.05 * least_s

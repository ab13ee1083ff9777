"""A histogram counts each value under the first bound that it does not pass, and loses none."""

from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.histogram import SECONDS, Histogram


@given(st.lists(st.floats(0, 1000)))
def test_each_bound_tells_how_many_values_do_not_pass_it(values: list[float]) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    told = list(histogram.up_to())
    assert told == [(b, sum(v <= b for v in values)) for b in (*SECONDS, float("inf"))]
    assert histogram.total == sum(values)


def test_a_value_on_a_bound_does_not_pass_it() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (1.0, 2.0, 2.1):
        histogram.add(value)
    assert histogram.counts == [1, 1, 1]

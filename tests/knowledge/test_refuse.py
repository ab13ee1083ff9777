"""How likely an answer is, is a probability that grows with what was found."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lumbre.knowledge.fusion import Evidence
from lumbre.knowledge.refuse import BALANCED, OUTRIGHT, answerable, likely
from tests.knowledge.test_fusion import evidence

score = st.floats(-2, 3)


@given(evidence, score, st.floats(0, 3))
def test_a_better_score_is_never_less_likely(one: Evidence, base: float, more: float) -> None:
    low, high = (likely(replace(one, score=value)) for value in (base, base + more))
    assert 0 <= low <= high <= 1


@given(st.lists(evidence, max_size=6))
def test_the_likeliest_passage_speaks_for_all(every: list[Evidence]) -> None:
    assert answerable(every) == max((likely(one) for one in every), default=0)


def test_nothing_found_answers_nothing() -> None:
    assert answerable([]) == 0
    assert 0 < OUTRIGHT < BALANCED < 1

"""A passage's score depends on what is known of it alone, and more of anything never lowers it."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.knowledge.fusion import Evidence, Features, fused

cosine = st.floats(-1, 1, width=32)
share = st.floats(0, 1.5, width=32)
evidence = st.builds(
    Evidence,
    score=st.just(0.0),
    asked_words=st.integers(1, 30),
    whole=cosine,
    sentence=cosine,
    pair=cosine,
    letters=share,
    covered=share,
    covered_sentence=share,
    same_language=st.booleans(),
)
_TOLD = ("whole", "sentence", "pair", "letters", "covered", "covered_sentence")


@given(st.lists(evidence, min_size=1, max_size=20))
def test_a_score_is_the_same_to_the_last_bit_whatever_stands_beside_it(
    every: list[Evidence],
) -> None:
    together = fused(Features.of(every))
    for one, score in zip(every, together, strict=True):
        assert fused(Features.of([one]))[0] == score


@given(evidence, st.sampled_from(_TOLD), st.floats(0, 0.5))
def test_more_of_anything_never_lowers_the_score(one: Evidence, name: str, more: float) -> None:
    better = replace(one, **{name: getattr(one, name) + more})
    before, after = fused(Features.of([one, better]))
    assert after >= before - 1e-6


@given(evidence)
def test_scores_stay_in_a_range_that_rules_can_be_made_for(one: Evidence) -> None:
    assert -1.5 <= fused(Features.of([one]))[0] <= 2.5


@given(st.lists(evidence, min_size=1, max_size=5))
def test_what_is_taken_out_of_the_features_can_be_put_back(every: list[Evidence]) -> None:
    features = Features.of(every)
    again = Features.of([features.row(at, 3) for at in range(len(every))])
    for column in fields(Features):
        assert np.array_equal(getattr(features, column.name), getattr(again, column.name))
    assert features.row(0, 3).score == pytest.approx(float(fused(features)[0]))

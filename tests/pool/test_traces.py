"""On the published traces nobody waits noticeably longer than under LRU, and no rule is broken."""

import statistics
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pool_traces import (
    MOST_OF_LRU,
    MOST_OF_LRU_UNEQUAL,
    TRACES,
    UNEQUAL,
    Outcome,
    Trace,
    Worth,
    frequency,
    least_load_s,
    lru,
    play,
    read,
)
from traces.make import KINDS, published

from lumbre.pool.policy.state import Terms
from lumbre.pool.policy.worth import expected_cost

FEW = [f"{kind}_few" for kind in KINDS]


@cache
def trace(name: str) -> Trace:
    return read(TRACES / f"{name}.json")


@cache
def played(name: str, rule: str) -> Outcome:
    """The simulator raises when a decision goes over capacity, stops a worker in use, loads a
    model twice, or leaves anybody without exactly one answer."""
    rules: dict[str, Worth] = {
        "ours": expected_cost,
        "lru": lru,
        "frequency": frequency(trace(name)),
    }
    return play(trace(name), rules[rule])


def of_lru(name: str) -> float:
    return sum(played(name, "ours").waits_s) / sum(played(name, "lru").waits_s)


def test_the_published_traces_are_what_their_seed_makes() -> None:
    for path, text in published(TRACES).items():
        assert path.read_text(encoding="utf-8") == text, path.name


@pytest.mark.parametrize("name", [*KINDS, *FEW])
def test_waits_are_never_noticeably_longer_than_under_lru(name: str) -> None:
    assert of_lru(name) <= MOST_OF_LRU


def test_where_reloads_cost_unequally_waits_are_well_below_those_of_lru() -> None:
    assert statistics.median(map(of_lru, UNEQUAL)) <= MOST_OF_LRU_UNEQUAL


@pytest.mark.parametrize("name", FEW)
def test_no_rule_loads_less_than_who_knows_the_future(name: str) -> None:
    least_s = least_load_s(trace(name))
    for rule in ("ours", "lru", "frequency"):
        assert played(name, rule).load_s >= least_s - 1e-6


@pytest.mark.parametrize("name", FEW)
def test_where_requests_do_not_overlap_nobody_waits_but_for_a_load_and_one_end(name: str) -> None:
    """Which is why the least that anybody can spend on loads is exact there."""
    told = trace(name)
    assert len(told.terms) <= 5
    assert len(told.requests) <= 60
    for (_, model, _), wait_s in zip(told.requests, played(name, "ours").waits_s, strict=True):
        assert wait_s <= told.load_s[model] + told.stop_s + 1e-6


def searched(told: Trace, position: int = 0, loaded: frozenset[str] = frozenset()) -> float:
    """The least of all there is to try: after each request any of the others may be dropped."""
    if position == len(told.requests):
        return 0.0
    model = told.requests[position][1]
    spent_s = 0.0 if model in loaded else told.load_s[model]
    others = [frozenset({model})]
    for other in loaded - {model}:
        others += [kept | {other} for kept in others]
    room = told.capacity["cpu"]
    return spent_s + min(
        searched(told, position + 1, kept)
        for kept in others
        if sum(told.terms[name].need["cpu"] for name in kept) <= room
    )


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=4, max_size=4),
    costs=st.lists(st.integers(1, 20), min_size=4, max_size=4),
    asked=st.lists(st.sampled_from("abcd"), min_size=1, max_size=7),
    capacity=st.integers(5, 12),
)
def test_the_least_is_that_of_trying_everything(
    sizes: list[int], costs: list[int], asked: list[str], capacity: int
) -> None:
    told = Trace(
        name="tried",
        terms={name: Terms(need={"cpu": size}) for name, size in zip("abcd", sizes, strict=True)},
        load_s={name: float(cost) for name, cost in zip("abcd", costs, strict=True)},
        capacity={"cpu": capacity},
        stop_s=0.1,
        requests=tuple((float(at), model, 0.5) for at, model in enumerate(asked)),
    )
    assert least_load_s(told) == searched(told)

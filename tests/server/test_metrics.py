"""What is counted is told under its documented name, and every name is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from lumbre.config import load
from lumbre.core.errors import DoesNotFit, Stopping
from lumbre.core.generation import Delta, Usage
from lumbre.core.signals import Result
from lumbre.runtime import Runtime
from lumbre.server.metrics import NAMES, exposition
from lumbre.store import Store
from lumbre.triggers.tally import Tally


@pytest.fixture
def runtime(home: Path) -> Iterator[Runtime]:
    config = load({"LUMBRE_HOME": str(home)})
    config.folders.make()
    store = Store(config.folders.database)
    yield Runtime(config, store)
    store.close()


def read(runtime: Runtime, triggers: Tally | None = None) -> dict[str, Metric]:
    text = exposition(runtime, [], 1.0, triggers).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def values(family: Metric) -> dict[tuple[str, ...], float]:
    return {
        (sample.name.removeprefix(family.name), *sample.labels.values()): sample.value
        for sample in family.samples
    }


def test_every_name_is_told_from_the_start(runtime: Runtime) -> None:
    told = read(runtime)
    assert set(told) == {name.removesuffix("_total") for name in NAMES}
    assert all(family.documentation for family in told.values())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("moe_judge_latency_ms", "histogram"),
        ("moe_planner_latency_ms", "histogram"),
        ("moe_judge_agreement_rate", "gauge"),
        ("moe_memory_resident_sec", "gauge"),
    ],
)
def test_the_names_that_were_chosen_before_are_kept(runtime: Runtime, name: str, kind: str) -> None:
    assert read(runtime)[name].type == kind


def test_waits_and_answers_are_told_by_model_and_role(runtime: Runtime) -> None:
    tally, counters = runtime.guards.tally, runtime.pool.counters
    counters.roles |= {"main": "primary", "use": "embedding"}
    for model in ("main", "use", "use"):
        counters.waited(model, 0.2)
    with tally.following(("main", "primary")) as course:
        course.grant()
        course.saw(Delta(text="a"))
        course.saw(Delta(finish="stop", usage=Usage(10, 4, 3)))
    with pytest.raises(Stopping), tally.following(("small", "micro")):
        raise Stopping()
    told = read(runtime)
    for name in ("queue", "first_token", "answer"):
        found = values(told[f"lumbre_{name}_seconds"])
        assert found["_count", "main", "primary"] == 1
        assert found["_bucket", "+Inf", "main", "primary"] == 1
        assert found["_bucket", "300.0", "main", "primary"] == 1
        assert found["_sum", "main", "primary"] >= 0
    assert values(told["lumbre_queue_seconds"])["_count", "use", "embedding"] == 2
    assert values(told["lumbre_waiting"]) == {
        ("", "main", "primary"): 0,
        ("", "use", "embedding"): 0,
    }
    assert values(told["lumbre_errors"]) == {("_total", "stopping", "small", "micro"): 1}
    assert values(told["lumbre_tokens"]) == {
        ("_total", "prompt", "main", "primary"): 10,
        ("_total", "cached", "main", "primary"): 4,
        ("_total", "output", "main", "primary"): 3,
    }


def test_evictions_are_the_stops_that_others_needed(runtime: Runtime) -> None:
    counters = runtime.pool.counters
    counters.roles |= {"a": "micro", "b": "secondary"}
    counters.stops |= {("a", "room"): 2, ("b", "room"): 1, ("b", "pressure"): 4, ("b", "idle"): 9}
    counters.loads |= {"a": 2, "b": 14}
    counters.refusals |= {("b", "cooling"): 1}
    runtime.pool.counters.resident_s["moe", "optional_moe"] = 7.5
    runtime.pool.counters.resident_s["main", "primary"] = 9.0
    told = read(runtime)
    assert values(told["lumbre_evictions"]) == {
        ("_total", "a", "micro", "room"): 2,
        ("_total", "b", "secondary", "room"): 1,
        ("_total", "b", "secondary", "pressure"): 4,
    }
    assert values(told["lumbre_model_stops"])["_total", "b", "secondary", "idle"] == 9
    assert values(told["lumbre_model_loads"]) == {
        ("_total", "a", "micro"): 2,
        ("_total", "b", "secondary"): 14,
    }
    assert values(told["lumbre_refusals"]) == {("_total", "b", "secondary", "cooling"): 1}
    assert values(told["lumbre_resident_seconds"])["_total", "main", "primary"] == 9.0
    assert values(told["moe_memory_resident_sec"]) == {("", "moe"): 7.5}


def test_triggers_are_told_by_outcome_and_only_whole_ones_have_a_latency(runtime: Runtime) -> None:
    tally = Tally()
    tally.ended(Result("Judge.Result", "Eval.NeedJudge", 1, "moe", took_s=2.0), "done")
    late = DoesNotFit(**dict.fromkeys(DoesNotFit.wants, 1))
    tally.ended(Result("Judge.Result", "Eval.NeedJudge", 2, error=late, took_s=500), "failed")
    tally.ended(Result("Plan.Result", "Plan.Generate", 3, "moe", took_s=0.5), "done")
    assert values(read(runtime, tally)["moe_judge_agreement_rate"]) == {}
    for agreed in (True, True, False, True):
        tally.heard(agreed=agreed)
    told = read(runtime, tally)
    judge, planner = values(told["moe_judge_latency_ms"]), values(told["moe_planner_latency_ms"])
    assert (judge["_count",], judge["_sum",]) == (1, 2000)
    assert (planner["_count",], planner["_sum",]) == (1, 500)
    assert (planner["_bucket", "300.0"], planner["_bucket", "1000.0"]) == (0, 1)
    assert values(told["moe_judge_agreement_rate"]) == {("",): 0.75}
    assert values(told["lumbre_triggers"]) == {
        ("_total", "done", "Eval.NeedJudge"): 1,
        ("_total", "failed", "Eval.NeedJudge"): 1,
        ("_total", "done", "Plan.Generate"): 1,
    }

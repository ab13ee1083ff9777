"""The household in numbers, in Prometheus form. Nothing below knows that it is counted.

What belongs to a model is told by model and role.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from math import isinf
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from lumbre.core.histogram import Histogram
from lumbre.pool.lease import View
from lumbre.runtime import Runtime
from lumbre.triggers.tally import Tally

NAMES = (
    "lumbre_uptime_seconds",
    "lumbre_model_planned_bytes",
    "lumbre_model_measured_bytes",
    "lumbre_estimate_error_bytes",
    "lumbre_model_leases",
    "lumbre_model_loads_total",
    "lumbre_model_load_seconds_total",
    "lumbre_model_failures_total",
    "lumbre_model_stalls_total",
    "lumbre_model_stops_total",
    "lumbre_evictions_total",
    "lumbre_resident_seconds_total",
    "lumbre_refusals_total",
    "lumbre_waiting",
    "lumbre_queue_seconds",
    "lumbre_first_token_seconds",
    "lumbre_answer_seconds",
    "lumbre_errors_total",
    "lumbre_tokens_total",
    "lumbre_requests_total",
    "lumbre_embedded_texts_total",
    "lumbre_states_saved_total",
    "lumbre_states_restored_total",
    "lumbre_state_misses_total",
    "lumbre_triggers_total",
    "moe_judge_latency_ms",
    "moe_planner_latency_ms",
    "moe_judge_agreement_rate",
    "moe_memory_resident_sec",
)
"""Every metric there is; docs/metrics.md is generated from what `describe` says of them."""

_EVICTIONS = ("room", "pressure")
"""Reasons of stops that are somebody else's need."""


class _Reading(Collector):
    """One look at the runtime."""

    def __init__(
        self, runtime: Runtime, views: list[View], uptime_s: float, triggers: Tally
    ) -> None:
        self._runtime = runtime
        self._views = views
        self._uptime_s = uptime_s
        self._triggers = triggers
        self._roles: dict[str, str] = {m.id: m.role for m in runtime.registry.usable()}
        self._roles |= runtime.pool.counters.roles

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "lumbre_uptime_seconds", "Seconds since the household opened", self._uptime_s
        )
        yield from self._workers()
        yield from self._pool()
        yield from self._answers()
        yield from self._states()
        yield from self._of_triggers()

    def _workers(self) -> Iterator[Metric]:
        for name, text, field in (
            ("planned_bytes", "Memory promised to a worker", "need_bytes"),
            ("measured_bytes", "Memory a worker holds (PSS)", "held_bytes"),
            ("leases", "Requests a worker serves now", "leases"),
        ):
            family = GaugeMetricFamily(f"lumbre_model_{name}", text, labels=("model", "role"))
            for view in self._views:
                family.add_metric((view.model, view.role), getattr(view, field))
            yield family

    def _pool(self) -> Iterator[Metric]:
        pool = self._runtime.pool
        counters = pool.counters
        yield self._gauge(
            "lumbre_estimate_error_bytes",
            "Planned less measured memory of a model, when last measured",
            self._errors(),
        )
        queue = Counter(waiting.model for waiting in pool.queue())
        yield self._gauge(
            "lumbre_waiting",
            "Requests without a lease yet",
            dict.fromkeys(counters.roles, 0) | queue,
        )
        yield self._counter("lumbre_model_loads", "Workers that became ready", counters.loads)
        yield self._counter("lumbre_model_load_seconds", "Seconds spent loading", counters.load_s)
        yield self._counter(
            "lumbre_model_failures", "Workers that failed or died", counters.failures
        )
        yield self._counter(
            "lumbre_model_stalls", "Workers ended because they stood still", counters.stalls
        )
        yield self._counter(
            "lumbre_model_stops", "Workers stopped, by reason", counters.stops, "why"
        )
        yield self._counter(
            "lumbre_evictions",
            "Workers stopped for the need of others",
            {(model, why): n for (model, why), n in counters.stops.items() if why in _EVICTIONS},
            "why",
        )
        yield _counter(
            "lumbre_resident_seconds", "Seconds that workers were loaded", pool.resident_s()
        )
        yield self._counter(
            "lumbre_refusals", "Requests refused, by reason", counters.refusals, "why"
        )
        yield _histogram(
            "lumbre_queue_seconds",
            "From asking for a worker until it was given, loading included: to chat, embed or load",
            {(model, self._role(model)): waits for model, waits in counters.waits_s.items()},
        )

    def _errors(self) -> dict[str, int]:
        """Of models that are not measured to correct their plans: as they are now."""
        now = {v.model: v.need_bytes - v.held_bytes for v in self._views if v.state == "ready"}
        return now | self._runtime.planning.records.errors()

    def _answers(self) -> Iterator[Metric]:
        tally, spent = self._runtime.guards.tally, self._runtime.spent
        yield self._counter("lumbre_requests", "Chat requests", spent.requests)
        yield _histogram(
            "lumbre_first_token_seconds",
            "From the moment a worker had a chat request to the first text",
            tally.first_token_s,
        )
        yield _histogram(
            "lumbre_answer_seconds", "From then to the end of whole answers", tally.answer_s
        )
        yield _counter(
            "lumbre_errors", "Chat requests that ended with an error, by its code",
            tally.errors, "code",
        )  # fmt: skip
        yield _counter(
            "lumbre_tokens",
            "Tokens of answers, broken off or whole: read (prompt), of these kept from before"
            " (cached), written (output)",
            tally.tokens, "kind",
        )  # fmt: skip
        yield self._counter(
            "lumbre_embedded_texts", "Texts turned into vectors", spent.embedded_texts
        )

    def _states(self) -> Iterator[Metric]:
        counts = self._runtime.pool.talks.counts
        yield self._counter("lumbre_states_saved", "Talks written to disk", counts.saves)
        yield self._counter("lumbre_states_restored", "Talks read back from disk", counts.restores)
        yield self._counter(
            "lumbre_state_misses",
            "Talks read back of which the engine then had less than was written",
            counts.misses,
        )

    def _of_triggers(self) -> Iterator[Metric]:
        told = self._triggers
        triggers = CounterMetricFamily(
            "lumbre_triggers",
            "Triggers answered, by what became of them",
            labels=("trigger", "outcome"),
        )
        for key, count in told.outcomes.items():
            triggers.add_metric(key, count)
        yield triggers
        yield _histogram_of(
            "moe_judge_latency_ms",
            "Milliseconds from Eval.NeedJudge to a whole Judge.Result",
            told.judge_ms,
        )
        yield _histogram_of(
            "moe_planner_latency_ms",
            "Milliseconds from Plan.Generate to a whole Plan.Result",
            told.planner_ms,
        )
        agreement = GaugeMetricFamily(
            "moe_judge_agreement_rate",
            "Share of Judge.Agreed in which judge and primary agreed; nothing before the first",
        )
        if told.agreement is not None:
            agreement.add_metric((), told.agreement)
        yield agreement
        resident = GaugeMetricFamily(
            "moe_memory_resident_sec",
            "Seconds that models of the role optional_moe were loaded",
            labels=("model",),
        )
        for (model, role), seconds in self._runtime.pool.resident_s().items():
            if role == "optional_moe":
                resident.add_metric((model,), seconds)
        yield resident

    def _role(self, model: str) -> str:
        return self._roles.get(model, "")

    def _gauge(self, name: str, text: str, values: Mapping[str, float]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, text, labels=("model", "role"))
        for model, value in values.items():
            family.add_metric((model, self._role(model)), value)
        return family

    def _counter(
        self, name: str, text: str, values: Mapping[Any, float], *labels: str
    ) -> CounterMetricFamily:
        """By model, or by model and what `labels` say."""
        told: dict[tuple[str, ...], float] = {}
        for key, value in values.items():
            model, *more = key if isinstance(key, tuple) else (key,)
            told[model, self._role(model), *more] = value
        return _counter(name, text, told, *labels)


def exposition(
    runtime: Runtime, views: list[View], uptime_s: float, triggers: Tally | None = None
) -> bytes:
    """The text a Prometheus server reads."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Reading(runtime, views, uptime_s, triggers or Tally()))
    return generate_latest(registry)


def _counter(
    name: str, text: str, values: Mapping[Any, float], *labels: str
) -> CounterMetricFamily:
    """By model and role, and what `labels` say."""
    family = CounterMetricFamily(name, text, labels=("model", "role", *labels))
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _histogram(
    name: str, text: str, values: Mapping[tuple[str, str], Histogram]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=("model", "role"))
    for who, histogram in values.items():
        family.add_metric(who, _buckets(histogram), histogram.total)
    return family


def _histogram_of(name: str, text: str, histogram: Histogram) -> HistogramMetricFamily:
    return HistogramMetricFamily(name, text, _buckets(histogram), histogram.total)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    return [("+Inf" if isinf(bound) else str(bound), n) for bound, n in histogram.up_to()]

"""The household in numbers, in Prometheus form. Nothing below knows that it is counted."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lumbre.pool.lease import View
from lumbre.runtime import Runtime

NAMES = (
    "lumbre_uptime_seconds",
    "lumbre_model_planned_bytes",
    "lumbre_model_measured_bytes",
    "lumbre_estimate_error_bytes",
    "lumbre_model_leases",
    "lumbre_model_loads_total",
    "lumbre_model_load_seconds_total",
    "lumbre_model_failures_total",
    "lumbre_model_stops_total",
    "lumbre_refusals_total",
    "lumbre_waiting",
    "lumbre_requests_total",
    "lumbre_prompt_tokens_total",
    "lumbre_cached_tokens_total",
    "lumbre_output_tokens_total",
    "lumbre_embedded_texts_total",
)
"""Every metric there is; docs/metrics.md is generated from what `describe` says of them."""


class _Reading(Collector):
    """One look at the runtime."""

    def __init__(self, runtime: Runtime, views: list[View], uptime_s: float) -> None:
        self._runtime = runtime
        self._views = views
        self._uptime_s = uptime_s

    def collect(self) -> Iterator[Metric]:
        pool, spent = self._runtime.pool, self._runtime.spent
        yield GaugeMetricFamily(
            "lumbre_uptime_seconds", "Seconds since the household opened", self._uptime_s
        )
        yield from self._by_worker()
        error = GaugeMetricFamily(
            "lumbre_estimate_error_bytes",
            "Planned less measured memory of a model, when last measured",
            labels=("model",),
        )
        for model, error_bytes in self._runtime.planning.records.errors().items():
            error.add_metric((model,), error_bytes)
        yield error
        yield GaugeMetricFamily("lumbre_waiting", "Requests without a lease yet", pool.waiting)
        yield _counter("lumbre_model_loads", "Workers that became ready", pool.counters.loads)
        yield _counter("lumbre_model_load_seconds", "Seconds spent loading", pool.counters.load_s)
        yield _counter(
            "lumbre_model_failures", "Workers that failed or died", pool.counters.failures
        )
        stops = CounterMetricFamily(
            "lumbre_model_stops", "Workers stopped, by reason", labels=("model", "why")
        )
        for (model, why), count in pool.counters.stops.items():
            stops.add_metric((model, why), count)
        yield stops
        yield _counter(
            "lumbre_refusals", "Requests refused, by reason", pool.counters.refusals, "why"
        )
        yield _counter("lumbre_requests", "Chat requests", spent.requests)
        yield _counter("lumbre_prompt_tokens", "Prompt tokens", spent.prompt_tokens)
        yield _counter(
            "lumbre_cached_tokens", "Prompt tokens an engine had kept", spent.cached_tokens
        )
        yield _counter("lumbre_output_tokens", "Tokens written", spent.output_tokens)
        yield _counter("lumbre_embedded_texts", "Texts turned into vectors", spent.embedded_texts)

    def _by_worker(self) -> Iterator[Metric]:
        for name, text, field in (
            ("planned_bytes", "Memory promised to a worker", "need_bytes"),
            ("measured_bytes", "Memory a worker holds (PSS)", "held_bytes"),
            ("leases", "Requests a worker serves now", "leases"),
        ):
            family = GaugeMetricFamily(f"lumbre_model_{name}", text, labels=("model", "role"))
            for view in self._views:
                family.add_metric((view.model, view.role), getattr(view, field))
            yield family


def exposition(runtime: Runtime, views: list[View], uptime_s: float) -> bytes:
    """The text a Prometheus server reads."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Reading(runtime, views, uptime_s))
    return generate_latest(registry)


def _counter(
    name: str, text: str, values: Mapping[str, float], label: str = "model"
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family

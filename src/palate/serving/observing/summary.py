"""A site's metrics in the numbers that people ask for: rates, percentiles, shares."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from math import inf, isinf
from typing import NamedTuple, TypeAlias

from prometheus_client.parser import text_string_to_metric_families

Key: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
Samples: TypeAlias = Mapping[Key, float]

REQUEST, STAGE = "palate_request_duration_seconds", "palate_stage_duration_seconds"


class Row(NamedTuple):
    """Something that is timed."""

    name: str
    per_second: float
    p50: float
    """Milliseconds; of the bucket that holds it, linear inside."""
    p99: float


class Summary(NamedTuple):
    """What happened between two readings."""

    answers: list[Row]
    """By rung of the ladder."""
    stages: list[Row]
    """The slowest first."""
    rates: dict[str, float]
    """A second: events, shed, problems, dropped."""
    gauges: dict[str, float]
    """Lag, quality, what is in flight, queues."""
    shares: dict[str, float]
    """Of lookups that were at hand, by cache."""


def read(text: str) -> Samples:
    """The samples of an exposition."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def summary(before: Samples, after: Samples, seconds: float) -> Summary:
    """What happened in these seconds; counters that went back began anew."""
    grown = {key: _grown(before.get(key, 0.0), value) for key, value in after.items()}
    stages = _rows(grown, STAGE, "stage", seconds)
    return Summary(
        _rows(grown, REQUEST, "step", seconds),
        sorted(stages, key=lambda row: -row.p50 * row.per_second),
        {
            "events": _sum(grown, "palate_events_total") / seconds,
            "shed": _sum(grown, "palate_shed_total") / seconds,
            "problems": _sum(grown, "palate_problems_total") / seconds,
            "dropped": _sum(grown, "palate_background_dropped_total") / seconds,
        },
        dict(_gauges(after)),
        dict(_hits(grown)),
    )


def _grown(before: float, after: float) -> float:
    return after - before if after >= before else after


def _rows(grown: Samples, metric: str, label: str, seconds: float) -> list[Row]:
    buckets: defaultdict[str, defaultdict[float, float]] = defaultdict(lambda: defaultdict(float))
    for (name, labels), value in grown.items():
        told = dict(labels)
        if name == f"{metric}_bucket":
            buckets[told[label]][float(told["le"])] += value
    rows = []
    for name, held in buckets.items():
        count = held.get(inf, 0.0)
        if count:
            p50, p99 = (quantile(held, share) * 1e3 for share in (0.5, 0.99))
            rows.append(Row(name, count / seconds, p50, p99))
    return rows


def quantile(buckets: Mapping[float, float], share: float) -> float:
    """As Prometheus reckons it: linear inside the bucket; the last bound where it lies beyond."""
    bounds, below, start = sorted(buckets), 0.0, 0.0
    wanted = share * buckets[bounds[-1]]
    for bound in bounds:
        if buckets[bound] >= wanted:
            if isinf(bound):
                return start
            inside = buckets[bound] - below
            return start + (bound - start) * ((wanted - below) / inside if inside else 1.0)
        below, start = buckets[bound], bound
    return start


def _sum(samples: Samples, name: str) -> float:
    return sum(value for (own, _), value in samples.items() if own == name)


def _gauges(after: Samples) -> Iterable[tuple[str, float]]:
    for (name, labels), value in after.items():
        if name in {"palate_event_lag_seconds", "palate_quality", "palate_in_flight"}:
            yield name.removeprefix("palate_"), value
        if name == "palate_queue":
            yield f"queue {dict(labels)['queue']}", value


def _hits(grown: Samples) -> Iterable[tuple[str, float]]:
    found: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for (name, labels), value in grown.items():
        if name == "palate_cache_lookups_total":
            told = dict(labels)
            found[told["cache"]][told["outcome"]] = value
    for cache, by in found.items():
        if total := sum(by.values()):
            yield cache, by.get("hit", 0.0) / total

"""What operators watch: Prometheus metrics, labels bound once, no user or item ids in them.

With several workers behind one port the launcher sets PROMETHEUS_MULTIPROC_DIR: then every worker
counts into its own mapped file and any of them answers for all.
"""

import os
import threading
from collections import deque
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from palate.funnel.budget import LATE, UNFIT
from palate.funnel.types import Answer, StageTrace
from palate.serving.environment import PROMETHEUS
from palate.serving.observing.bulk import BulkHistogram
from palate.serving.observing.departed import add_up, undisturbed

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REQUEST_SECONDS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.05, 0.1, 0.25, 1, 5)
STAGE_SECONDS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 1)
CANDIDATES = (0, 1, 5, 10, 20, 50, 100, 200, 500, 1000)
GENERATE = "generate."
OUT = {LATE: "late", UNFIT: "unfit"}
UNCOUNTED = 10_000
"""Answers whose stages wait to be counted; of more the oldest are not."""
BLOCKED_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 1)


class Meters:
    """One worker's metrics."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._shared = os.environ.get(PROMETHEUS)
        self._live = ""
        if self._shared:
            with undisturbed(Path(self._shared)):
                add_up(Path(self._shared))
        self._answered: deque[list[StageTrace]] = deque(maxlen=UNCOUNTED)
        self._counting = threading.Lock()
        self._count_answers(self._registry)
        self._count_events(self._registry)
        self._count_admission(self._registry)
        self._watch_the_log(self._registry)

    def answered(self, surface: str, answer: Answer, seconds: float) -> None:
        """One slate went out."""
        self._request(surface, answer.step).observe(seconds)
        self._answered.append(answer.trace.stages)
        for part, why in answer.trace.skipped.items():
            what = OUT.get(why, "failed")
            self._degrade(answer.step, f"{_kind(part)} {what}").inc()

    def page(self, name: str, seconds: float) -> None:
        """One whole page went out."""
        self._page(name).observe(seconds)

    def flush(self) -> None:
        """Count the stages of the answers that wait for it; for a thread, it may take a while."""
        with self._counting:
            for _ in range(len(self._answered)):
                for stage in self._answered.popleft():
                    self._observe(stage)
            self._stages.flush()
            self._candidates.flush()

    def events(self, kinds: Iterable[str]) -> None:
        """Events were acknowledged."""
        for kind in kinds:
            self._event(kind).inc()

    def dropped(self, what: str) -> None:
        """An impression or a trace was not written."""
        self._dropped.labels(what).inc()

    def problem(self, status: int) -> None:
        """A request was answered with an error."""
        self._problems.labels(str(status)).inc()

    def queues(self, **waiting: int) -> None:
        """How many wait in each queue."""
        for name, size in waiting.items():
            self._queue.labels(name).set(size)

    def looked_up(self, cache: str, hits: int, misses: int) -> None:
        """A cache was asked so many times."""
        self._lookups.labels(cache, "hit").inc(hits)
        self._lookups.labels(cache, "miss").inc(misses)

    def shed(self) -> None:
        """A request was turned away: even the static list would have come too late."""
        self._shed.inc()

    def blocked(self, what: str, seconds: float) -> None:
        """Something kept the event loop for so long."""
        self._blocks(what).observe(seconds)

    def admission(self, quality: float, limit: float, flying: int) -> None:
        """Where the quality knob stands, how many may be answered at once, and how many are."""
        self._quality.set(quality)
        self._limit.set(limit)
        self._flying.set(flying)

    def bounds(self, **most: int) -> None:
        """How many each queue may hold."""
        for name, size in most.items():
            self._bound.labels(name).set(size)

    def lag(self, seconds: float, positions: int) -> None:
        """How far the state is behind the log."""
        self._lag.set(seconds)
        self._behind.set(positions)
        self._lag_unknown.set(0)

    def lag_unknown(self) -> None:
        """The log or the state cannot be read: what was said of the lag last may be wrong."""
        self._lag_unknown.set(1)

    def online_used(self, share: float) -> None:
        """How much of its bound the user state takes."""
        self._online_used.set(share)

    def refused(self, events: int) -> None:
        """How many events were set aside."""
        self._refused.set(events)

    def release(self, name: str) -> None:
        """This release serves from now on."""
        if name != self._live:
            if self._live:
                self._release.labels(self._live).set(0)
            self._release.labels(name).set(1)
            self._live = name

    def render(self) -> bytes:
        """The exposition, of all workers where they share; for a thread."""
        self.flush()
        if not self._shared:
            return generate_latest(self._registry)
        everybody = CollectorRegistry()
        multiprocess.MultiProcessCollector(everybody, self._shared)  # type: ignore[no-untyped-call]
        with undisturbed(Path(self._shared)):
            add_up(Path(self._shared))
            return generate_latest(everybody)

    def _observe(self, stage: StageTrace) -> None:
        self._stages.note(_kind(stage.name), stage.milliseconds / 1e3)
        if stage.name.startswith(GENERATE):
            self._candidates.note(stage.name.removeprefix(GENERATE), stage.left)

    def _count_answers(self, registry: CollectorRegistry) -> None:
        """Looking a label up costs more than counting: each is looked up once (`cache`)."""
        requests = Histogram(
            "palate_request_duration_seconds",
            "From the request to the answer, by surface and rung of the ladder.",
            ("surface", "step"),
            buckets=REQUEST_SECONDS,
            registry=registry,
        )
        pages = Histogram(
            "palate_page_duration_seconds",
            "From the request to the answer of a whole page; its rows are counted as answers too.",
            ("surface",),
            buckets=REQUEST_SECONDS,
            registry=registry,
        )
        self._page = cache(pages.labels)
        name, told = "palate_stage_duration_seconds", "One part of the funnel."
        self._stages = BulkHistogram(registry, name, told, "stage", STAGE_SECONDS)
        name, told = "palate_candidates", "Candidates a generator proposed for one request."
        self._candidates = BulkHistogram(registry, name, told, "generator", CANDIDATES)
        degraded = Counter(
            "palate_degraded",
            "Parts left out and steps down the ladder.",
            ("step", "reason"),
            registry=registry,
        )
        self._request, self._degrade = cache(requests.labels), cache(degraded.labels)
        blocks = Histogram(
            "palate_loop_block_seconds",
            "Stretches over 1 ms in which one thing kept a worker's event loop, by what it was.",
            ("what",),
            buckets=BLOCKED_SECONDS,
            registry=registry,
        )
        self._blocks = cache(blocks.labels)

    def _watch_the_log(self, registry: CollectorRegistry) -> None:
        self._lag = Gauge(
            "palate_event_lag_seconds",
            "Age of the oldest event that the user state does not show yet.",
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._behind = Gauge(
            "palate_event_lag_positions",
            "Log positions that the user state does not show yet.",
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._lag_unknown = Gauge(
            "palate_event_lag_unknown",
            "1 where a worker cannot read the log or the state: the lag is that of before.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._online_used = Gauge(
            "palate_online_used_ratio",
            "Share of online_gigabytes that the user state has taken.",
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._refused = Gauge(
            "palate_events_refused",
            "Events that cannot be folded and were set aside with the reason (refused.jsonl).",
            registry=registry,
            multiprocess_mode="mostrecent",
        )

    def _count_events(self, registry: CollectorRegistry) -> None:
        events = Counter(
            "palate_events", "Events acknowledged, by kind.", ("kind",), registry=registry
        )
        self._event = cache(events.labels)
        self._dropped = Counter(
            "palate_background_dropped",
            "Impressions and traces not written: the queue was full or the store refused.",
            ("what",),
            registry=registry,
        )
        self._problems = Counter(
            "palate_problems", "Requests answered with an error.", ("status",), registry=registry
        )
        self._lookups = Counter(
            "palate_cache_lookups",
            "Names and profiles asked for, by whether they were at hand.",
            ("cache", "outcome"),
            registry=registry,
        )
        self._queue = Gauge(
            "palate_queue",
            "What waits to be written after answers, by queue.",
            ("queue",),
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._bound = Gauge(
            "palate_queue_bound",
            "What each queue may hold at most.",
            ("queue",),
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._release = Gauge(
            "palate_release_info",
            "1 for the release that serves.",
            ("release",),
            registry=registry,
            multiprocess_mode="mostrecent",
        )

    def _count_admission(self, registry: CollectorRegistry) -> None:
        self._shed = Counter("palate_shed", "Requests turned away with 503.", registry=registry)

        def gauge(name: str, told: str, together: Literal["livemin", "livesum"]) -> Gauge:
            return Gauge(name, told, registry=registry, multiprocess_mode=together)

        self._quality = gauge("palate_quality", "The quality knob, 1 for everything.", "livemin")
        self._quality.set(1.0)
        self._limit = gauge(
            "palate_admission_limit", "Answers that may be under way at once.", "livesum"
        )
        self._flying = gauge("palate_in_flight", "Answers under way.", "livesum")
        gauge("palate_workers", "Processes that answer.", "livesum").set(1)


def _kind(part: str) -> str:
    """A part without the id of an operator's rule: ids would be ever new labels."""
    return part.partition(":")[0]

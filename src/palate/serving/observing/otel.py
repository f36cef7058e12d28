"""Answers as spans of OpenTelemetry, sent over OTLP/HTTP; loaded where a collector is named alone.

An answer is a span, each part of its funnel one below it. Parts run one after the other on one
thread and only their durations are kept, so each begins where the one before it ended.
"""

from collections.abc import Sequence
from threading import Thread
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import palate
from palate.serving.observing.spans import Answered

PATH = "/v1/traces"
MOST_SPANS = 8_192
"""Spans that wait for the collector; of more the newest are dropped."""
PATIENCE = 3.0
"""Seconds that the end waits for the collector."""


class Collector:
    """Where spans go. `endpoint` is ``http://host:4318``; the path of OTLP is added to it."""

    def __init__(self, endpoint: str, site: str) -> None:
        whole = endpoint if urlsplit(endpoint).path.strip("/") else endpoint.rstrip("/") + PATH
        told = {"service.name": "palate", "service.version": palate.__version__, "site": site}
        self._provider = TracerProvider(resource=Resource(told), shutdown_on_exit=False)
        self._provider.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint=whole), max_queue_size=MOST_SPANS)
        )
        self._tracer = self._provider.get_tracer("palate", palate.__version__)
        self._parents = TraceContextTextMapPropagator()

    def send(self, answers: Sequence[Answered]) -> None:
        """Make the spans; they are sent by a thread of the SDK."""
        for each in answers:
            self._send(each)

    def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        # The SDK takes a limit and does not keep it, and tries again for 10 s where nobody listens.
        closing = Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(PATIENCE)

    def _send(self, answered: Answered) -> None:
        began = int(answered.began * 1e9)
        parent = (
            self._parents.extract({"traceparent": answered.parent}) if answered.parent else None
        )
        span = self._tracer.start_span(
            f"recommend {answered.surface}",
            parent,
            SpanKind.SERVER,
            {
                "palate.recommendation_id": answered.recommendation_id,
                "palate.surface": answered.surface,
                "palate.step": answered.step,
                "palate.release": answered.release,
                "palate.items": answered.items,
            },
            start_time=began,
        )
        within, at = set_span_in_context(span), began
        for stage in answered.stages:
            numbers = {"palate.entered": stage.entered, "palate.left": stage.left}
            part = self._tracer.start_span(stage.name, within, attributes=numbers, start_time=at)
            at += int(stage.milliseconds * 1e6)
            part.end(at)
        span.end(began + int(answered.milliseconds * 1e6))

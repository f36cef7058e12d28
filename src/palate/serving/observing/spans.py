"""Answers as OpenTelemetry traces, where ``[serving] otel`` names a collector.

What a span tells is kept with the answer anyway, so nothing is timed for it: after the answer is
out it is queued, and made into spans and sent by threads. Without a collector there is no queue.
"""

import re
from collections.abc import Sequence
from contextvars import ContextVar
from importlib import import_module
from typing import NamedTuple, Protocol

from palate.funnel.types import StageTrace
from palate.serving.meters import Meters
from palate.serving.observing.installed import check
from palate.serving.tracing.batches import Batches
from palate.settings import Settings

PARENT: ContextVar[str] = ContextVar("traceparent", default="")
"""The W3C ``traceparent`` that the request came with; "" where it had none."""
ADAPTER = "palate.serving.observing.otel"
FORM = re.compile("00-[0-9a-f]{32}-[0-9a-f]{16}-([0-9a-f]{2})")
SAMPLED = 1
"""A bit of the flags at the end of a ``traceparent``."""


class Answered(NamedTuple):
    """One answer, as far as a trace tells of it."""

    recommendation_id: str
    surface: str
    step: str
    release: str
    items: int
    began: float
    """Seconds since the epoch."""
    milliseconds: float
    stages: Sequence[StageTrace]
    parent: str


class Exporter(Protocol):
    """Makes spans and sends them; see `otel`."""

    def send(self, answers: Sequence[Answered]) -> None:
        """Hand over; for a thread, and without waiting for the collector."""
        ...

    def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        ...


class Spans:
    """The queue between answers and the collector."""

    def __init__(self, exporter: Exporter, share: float, meters: Meters, most: int) -> None:
        self._exporter, self._share = exporter, share
        self._answers: Batches[Answered] = Batches("span", exporter.send, meters, most)

    def wanted(self, lot: float) -> bool:
        """Whether an answer is traced: as its caller says, else by `lot` (0 to 1)."""
        told = sampled(PARENT.get())
        return lot < self._share if told is None else told

    def note(self, answered: Answered) -> None:
        """Send it soon. Never waits."""
        self._answers.note(answered)

    @property
    def waiting(self) -> int:
        """How many wait to be sent."""
        return self._answers.waiting

    async def run(self) -> None:
        """Send until cancelled."""
        await self._answers.run()

    async def settle(self) -> None:
        """Wait until all that was noted is handed over."""
        await self._answers.settle()

    def close(self) -> None:
        """Send what is left; blocks."""
        self._exporter.close()


def sampled(parent: str) -> bool | None:
    """Whether a ``traceparent`` says that its trace is kept; None where it is none."""
    found = FORM.fullmatch(parent)
    return None if found is None else bool(int(found[1], 16) & SAMPLED)


def opened(settings: Settings, meters: Meters) -> Spans | None:
    """The way to the collector; None where there is none. Raises MissingExtra."""
    told = settings.serving
    if not told.otel:
        return None
    check(told)
    exporter: Exporter = import_module(ADAPTER).Collector(told.otel, settings.site.name)
    return Spans(exporter, told.otel_share, meters, told.waiting_spans)

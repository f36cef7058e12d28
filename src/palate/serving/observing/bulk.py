"""A Prometheus histogram that is told many numbers at once: telling one costs more than a stage."""

from collections import defaultdict

import numpy as np
from prometheus_client import CollectorRegistry, Histogram

from palate.arrays import Doubles


class BulkHistogram:
    """Numbers wait by label, and are counted together in `flush`."""

    def __init__(
        self,
        registry: CollectorRegistry,
        name: str,
        told: str,
        label: str,
        buckets: tuple[float, ...],
    ) -> None:
        self._histogram = Histogram(name, told, (label,), buckets=buckets, registry=registry)
        self._bounds: Doubles = np.array(buckets)
        self._waiting: defaultdict[str, list[float]] = defaultdict(list)

    def note(self, label: str, value: float) -> None:
        """Count it at the next flush."""
        self._waiting[label].append(value)

    def flush(self) -> None:
        """Count what waits."""
        for label, values in self._waiting.items():
            if values:
                self._count(label, np.array(values))
                values.clear()

    def _count(self, label: str, values: Doubles) -> None:
        """As `observe` would, one after the other: the library has no door for many."""
        child = self._histogram.labels(label)
        places = np.searchsorted(self._bounds, values)
        counts = np.bincount(places, minlength=len(self._bounds) + 1)
        child._sum.inc(float(values.sum()))  # noqa: SLF001
        for bucket, count in zip(child._buckets, counts.tolist(), strict=True):  # noqa: SLF001
            if count:
                bucket.inc(count)

"""How long a request may take, and what is left out so that it does not take longer."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from time import perf_counter

from palate.funnel.types import Step

LATE, UNFIT = "late", "it does not fit the budget"
"""Why a part was left out that did not fail."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Time that parts on other machines get; what is late is left out and noted."""

    remote_seconds: float = 0.05
    """For all remote generators together; they run side by side."""


DEFAULT = Budget()


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of the funnel one request gets. Required rules and filters are always in it."""

    first: Step = "full"
    """The rung that is tried first."""
    without: frozenset[str] = frozenset()
    """Parts that are left out, by their names in the trace: ``generate.content``."""
    share: float = 1.0
    """Of the candidates: of each generator's, and of the pool's."""
    ends: float = inf
    """By `timer`: when retrieval is over and the ranker begins, or there is no time for it."""
    timer: Callable[[], float] = perf_counter

    def sized(self, candidates: int) -> int:
        """So many of these."""
        return max(1, round(self.share * candidates))

    @property
    def left(self) -> float | None:
        """Seconds that are left for retrieval; None where nobody counts them."""
        return max(self.ends - self.timer(), 0.0) if self.ends < inf else None

    @property
    def late(self) -> bool:
        """Whether the time for retrieval is over."""
        return self.ends < inf and self.timer() > self.ends


WHOLE = Plan()
"""All of it, however long it takes: what replay, training and tests run."""

"""Says of a part that fails, once and clearly, what happened and what was done about it."""

import logging
from collections.abc import Mapping

from palate.funnel.budget import LATE, UNFIT

log = logging.getLogger("palate.serving")

AGAIN = 60.0
"""Seconds until the same part is spoken of again."""
MOST = 1_000
"""Parts that are remembered; a site has some fifty."""


class Faults:
    """Parts of funnels, and of what a worker does beside, that failed lately."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}
        self._since: dict[str, int] = {}

    def note(self, surface: str, step: str, skipped: Mapping[str, str], now: float) -> None:
        """An answer went out by this step, without these parts."""
        for part, why in skipped.items():
            if why in {LATE, UNFIT}:  # a plan, not a fault: the metrics tell of it
                continue
            self._since[part] = self._since.get(part, 0) + 1
            if now - self._told.get(part, -AGAIN) < AGAIN:
                continue
            self._tell(part, f"{part} of {surface} was left out: {why}; answered by step {step}")
            self._told[part] = now
        self._trim()

    def trouble(self, what: str, error: Exception, now: float) -> None:
        """Something beside the answers failed."""
        self._since[what] = self._since.get(what, 0) + 1
        if now - self._told.get(what, -AGAIN) >= AGAIN:
            self._tell(what, f"{what} failed: {type(error).__name__}: {error}")
            self._told[what] = now
        self._trim()

    def _tell(self, part: str, told: str) -> None:
        times = self._since.pop(part)
        log.warning("%s%s", told, f" ({times} times since it was last said)" if times > 1 else "")

    def _trim(self) -> None:
        while len(self._told) > MOST:
            self._told.pop(next(iter(self._told)))
        while len(self._since) > MOST:
            self._since.pop(next(iter(self._since)))

"""Says of a part that fails, once and clearly, what happened and what was done about it."""

import logging
import math
from collections.abc import Callable, Mapping
from time import monotonic
from traceback import extract_tb

from palate.funnel.budget import LATE, UNFIT

log = logging.getLogger("palate.serving")

AGAIN = 60.0
"""Seconds until the same part is spoken of again."""
MOST = 1_000
"""Parts that are remembered; a site has some fifty."""


class Faults:
    """Parts of funnels, and of what a worker does beside, that failed lately.

    `timer` gives seconds that never go back.
    """

    def __init__(self, timer: Callable[[], float] = monotonic) -> None:
        self._timer = timer
        self._told: dict[str, float] = {}
        self._since: dict[str, int] = {}

    def note(self, surface: str, step: str, skipped: Mapping[str, str]) -> None:
        """An answer went out by this step, without these parts."""
        for part, why in skipped.items():
            if why in {LATE, UNFIT}:  # a plan, not a fault: the metrics tell of it
                continue
            told = f"{part} of {surface} was left out: {why}; answered by step {step}"
            if self._due(part):
                log.warning("%s%s", told, self._times(part))
        self._trim()

    def trouble(self, what: str, error: Exception) -> None:
        """Something beside the answers failed."""
        if self._due(what):
            log.warning("%s failed: %s: %s%s", what, _kind(error), error, self._times(what))
        self._trim()

    def fault(self, what: str, error: Exception) -> None:
        """A fault of ours: with its trace, once a minute for each kind of error and line."""
        place = f"{_kind(error)} at {_line(error)}"
        if self._due(place):
            log.error("fault in %s%s", what, self._times(place), exc_info=error)
        self._trim()

    def _due(self, what: str) -> bool:
        """Count it; whether it is time to speak of it."""
        self._since[what] = self._since.get(what, 0) + 1
        now = self._timer()
        if now - self._told.get(what, -math.inf) < AGAIN:
            return False
        self._told[what] = now
        return True

    def _times(self, what: str) -> str:
        times = self._since.pop(what)
        return f" ({times} times since it was last said)" if times > 1 else ""

    def _trim(self) -> None:
        while len(self._told) > MOST:
            self._told.pop(next(iter(self._told)))
        while len(self._since) > MOST:
            self._since.pop(next(iter(self._since)))


def _kind(error: Exception) -> str:
    return type(error).__name__


def _line(error: Exception) -> str:
    """Where it was raised."""
    frames = extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "a place unknown"

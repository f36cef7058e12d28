"""How far a training is: one number for the whole run, and the file that others watch."""

import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import msgspec

from palate.clock import Clock
from palate.training.report import Progress, Report

FILE = "training.json"

SHARES = {
    "content": 0.01,
    "read": 0.02,
    "tower": 0.25,
    "solved": 0.02,
    "rows": 0.21,
    "ranker": 0.36,
    "refit": 0.12,
    "publish": 0.01,
}
"""What part of a run each phase takes, in order; measured on MovieLens-100K."""


class Overall:
    """Turns "this much of that phase" into one fraction that never goes back."""

    def __init__(self, clock: Clock, tell: Callable[[Progress], None]) -> None:
        self._tell = tell
        self._started = clock.now()
        self._fraction = 0.0

    def __call__(self, phase: str, fraction: float, text: str) -> None:
        names = list(SHARES)
        if phase in SHARES:
            before = sum(SHARES[name] for name in names[: names.index(phase)])
            self._fraction = max(self._fraction, before + SHARES[phase] * min(fraction, 1.0))
        elif phase == "done":
            self._fraction = 1.0
        self._tell(Progress(phase, round(self._fraction, 4), text, self._started))


class Timed:
    """Passes reports on, and notes how long each phase took."""

    def __init__(self, tell: Report) -> None:
        self._tell = tell
        self._phase, self._begun = "read", perf_counter()
        self._spent: dict[str, float] = {}

    def __call__(self, phase: str, fraction: float, text: str) -> None:
        if phase != self._phase and fraction < 1.0:
            self._turn(phase)
        self._tell(phase, fraction, text)

    def seconds(self) -> dict[str, float]:
        """Seconds by phase, the current one included."""
        self._turn(self._phase)
        return {name: round(spent, 2) for name, spent in self._spent.items()}

    def _turn(self, phase: str) -> None:
        now = perf_counter()
        self._spent[self._phase] = self._spent.get(self._phase, 0.0) + now - self._begun
        self._phase, self._begun = phase, now


class ProgressFile:
    """Writes a run's progress into the site's folder, atomically."""

    def __init__(self, home: Path) -> None:
        self._file = home / FILE

    def __call__(self, progress: Progress) -> None:
        aside = self._file.with_suffix(f".{os.getpid()}")
        aside.write_bytes(msgspec.json.encode(progress))
        aside.replace(self._file)


def read_progress(home: Path) -> Progress | None:
    """What the newest run said last; None where there was none."""
    try:
        return msgspec.json.decode((home / FILE).read_bytes(), type=Progress)
    except (FileNotFoundError, msgspec.DecodeError):
        return None

"""What a training run says while it works and when it is done."""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from palate.releases.manifest import Manifest


class Progress(msgspec.Struct, frozen=True):
    """Where a run is: the contents of the site's ``training.json``."""

    phase: str
    """`read`, `tower`, `solved`, `rows`, `ranker`, `refit`, `publish`, or how it ended: `done`,
    `failed`, `waiting`."""
    fraction: float
    """Of the whole run, 0 to 1; never goes back."""
    text: str
    """A sentence for people: what it does, loss, metric, rate, time left."""
    started: float
    """Seconds since the epoch."""


Report: TypeAlias = Callable[[str, float, str], None]
"""Called with a phase, how much of that phase is done (0 to 1) and a sentence."""


def silent(phase: str, fraction: float, text: str) -> None:
    """Progress of what runs beside something else, which tells its own."""


class TrainingReport(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one run."""

    name: str | None
    """The new release; None where there was too little to learn from."""
    promoted: bool
    sentences: tuple[str, ...]
    """What was done and what the gate said, for people."""
    seconds: float
    manifest: Manifest | None = None

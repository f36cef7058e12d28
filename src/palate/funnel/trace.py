"""Writes down what every part did: how many came in and went out, how long, what broke."""

import logging
from dataclasses import replace
from time import perf_counter
from types import TracebackType
from typing import Self

import numpy as np
from msgspec import Struct

from palate.arrays import Floats, Rows
from palate.funnel.budget import WHOLE, Plan
from palate.funnel.types import Slate, StageTrace, Trace
from palate.index.slots import places_of

log = logging.getLogger("palate.funnel")
HELD_BACK, PUT_HERE = " held it back", " put it here"
"""What follows a rule's name in a note on what it did to an item."""


class Recorder:
    """The trace of one request while it grows."""

    __slots__ = ("_features", "plan", "trace")

    def __init__(self, plan: Plan = WHOLE) -> None:
        self.trace, self.plan = Trace(), plan
        self._features: tuple[Rows, Floats] | None = None

    def skip(self, name: str, why: str) -> None:
        """Note that a part did not contribute."""
        self.trace.skipped[name] = why

    def ranked(self, ranked: Slate, rows: Rows, features: Floats) -> None:
        """Note what was ranked, best first, and the features of `rows` that it was ranked by."""
        self.trace.ranked = ranked
        self._features = (rows, features) if features.shape[1] else None

    def rule(self, name: str, before: Rows, after: Rows) -> None:
        """Note what a rule did to the order, and what it took out."""
        self.trace.orders[name] = (before, after)
        if len(after) < len(before):
            self.trace.removed[name] = before[~np.isin(before, after)]

    def again(self) -> None:
        """Go on in a trace of its own, in which no rule has acted yet."""
        told = self.trace
        removed = {name: rows for name, rows in told.removed.items() if name not in told.orders}
        stages, skipped = list(told.stages), dict(told.skipped)
        self.trace = replace(
            told, stages=stages, skipped=skipped, removed=removed, orders={}, notes={}, relaxed={}
        )

    def shown(self, rows: Rows, *, ranked: bool) -> None:
        """Note the final slate and, where it was `ranked`, the features it was ranked by."""
        self.trace.shown = rows
        if ranked and self._features is not None:
            known, features = self._features
            self.trace.features = features.T.take(places_of(known, rows), axis=1).T


class Part(Struct):
    """One part of one request: what runs inside ``with`` is timed."""

    trace: Trace
    name: str
    entered: int = 0
    forgive: bool = False
    """Whether its failure is noted and that is all."""
    left: int = 0
    """To be set to how many items it leaves."""
    started: float = 0.0
    culprit: str = ""
    """Who is named where it fails, if not the part: of rankers it matters whose."""

    def __enter__(self) -> Self:
        self.started = perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> bool:
        spent = (perf_counter() - self.started) * 1e3
        stage = (self.name, self.entered, self.left, spent)
        self.trace.stages.append(tuple.__new__(StageTrace, stage))  # thirty a request
        if error is None or not isinstance(error, Exception):
            return False
        failed = self.culprit or self.name
        if failed not in self.trace.skipped:
            self.trace.skipped[failed] = f"{type(error).__name__}: {error}"
            log.debug("%s failed", self.name, exc_info=error)
        return self.forgive

"""A site's log as histories and questions: what every peer learns from and is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from palate.arrays import Mask, Rows, Times
from palate.evaluation.as_of import Shelf, read_all
from palate.evaluation.judging import Bench
from palate.evaluation.split import Case, Places, Protocol, Split, split
from palate.evaluation.tuning.inside import inside
from palate.evaluation.workspace import Workspace
from palate.events.batch import EventBatch, people
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class Past:
    """What may be learnt from: each user's distinct items, oldest first."""

    histories: Sequence[Rows]
    items: Rows
    times: Times
    """Of all events, end to end in order of time: which item, when."""
    now: float
    size: int
    """Rows of the catalogue."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Something to learn from, and who is asked then."""

    past: Past
    cases: Sequence[Case]

    def of(self, part: str) -> list[Case]:
        """Those of a slice, all where it has none."""
        return [case for case in self.cases if case.part == part] or list(self.cases)


def whole(batch: EventBatch, cut: Split, size: int) -> Questions:
    """The questions of the test."""
    at = cut.counted
    return Questions(_past(batch, at, cut.moment, size), cut.cases)


def tuning(batch: EventBatch, protocol: Protocol, shown: Mask, size: int) -> Questions:
    """Questions inside train, those that `palate tune` asks too."""
    found = inside(batch, protocol, shown)
    return whole(found.batch, found.cut, size)


def _past(batch: EventBatch, at: Places, now: float, size: int) -> Past:
    users, items = people(batch)[at], batch.item[at]
    order = np.argsort(users, kind="stable")
    starts = np.unique(users[order], return_index=True)[1]
    return Past(np.split(items[order], starts[1:]), items, batch.time[at], now, size)


@dataclass(frozen=True, slots=True)
class Asked:
    """One data set under one protocol, ready for any model."""

    test: Questions
    inner: Questions
    bench: Bench


def asked(site: Stores, protocol: Protocol, seed: int, folder: Path) -> Asked:
    """Read the site's log and cut it as `palate evaluate` does."""
    shelf = Shelf.of(site.items)
    batch, _ = read_all(site.log, shelf, lambda _: None)
    cut = split(batch, protocol, shown=shelf.shown)
    space = Workspace.build(site, shelf, batch, cut, folder)
    size = space.stores.columns.size
    bench = Bench(cut.cases, space.world(batch, cut), seed)
    test = whole(batch, cut, size)
    return Asked(test, tuning(batch, protocol, shelf.shown, size), bench)

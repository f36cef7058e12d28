"""Reads a site for training: the log as columns, and what is known of each item."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Rows
from palate.catalog.columns import ItemColumns
from palate.catalog.encoder import ContentEncoder
from palate.catalog.protocol import read_catalog
from palate.events.batch import EventBatch, people
from palate.events.kinds import Kind
from palate.events.protocol import read_log
from palate.stores import Stores
from palate.streaming.state import encode
from palate.training.report import Report
from palate.training.towers import ItemInputs


@dataclass(frozen=True, slots=True)
class PagesShown:
    """On which surface each page of the log was; in log order."""

    positions: NDArray[np.int64]
    codes: NDArray[np.uint16]
    names: tuple[str, ...]

    @classmethod
    def of(cls, told: Sequence[tuple[int, str]]) -> Self:
        """From (log position, surface) of every impression."""
        names = sorted({surface for _, surface in told})[: np.iinfo(np.uint16).max]
        code = {name: at for at, name in enumerate(names)}
        return cls(
            np.array([position for position, _ in told], np.int64),
            np.array([code.get(surface, 0) for _, surface in told], np.uint16),
            tuple(names),
        )

    def surface(self, position: int) -> str:
        """Where the page at a log position was; "" where the log does not say."""
        at = int(np.searchsorted(self.positions, position))
        known = at < len(self.positions) and int(self.positions[at]) == position
        return self.names[self.codes[at]] if known else ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """One reading of the log, in log order."""

    events: EventBatch
    rows: int
    """Rows given: every item in the log or the catalogue has a smaller number."""
    read: int
    """Events read; an impression of n items is one event and n rows of `events`."""
    pages: PagesShown = field(default_factory=lambda: PagesShown.of(()))

    def part(self, share: float) -> int:
        """Log position below which `share` of the engagements lie."""
        engaged = np.flatnonzero(self.engaged)
        if not len(engaged):
            return 0
        at = min(int(share * len(engaged)), len(engaged) - 1)
        return int(self.events.position[engaged[at]]) + (share >= 1.0)

    @property
    def engaged(self) -> NDArray[np.bool_]:
        """Where somebody took an item in."""
        return self.events.engaged

    @property
    def takers(self) -> int:
        """How many people took something in, whatever sessions they had."""
        return len(np.unique(people(self.events)[self.engaged]))

    def counts(self, until: int) -> NDArray[np.int64]:
        """(rows,) engagements at log positions below `until`."""
        which = self.engaged & (self.events.position < until)
        return np.bincount(self.events.item[which], minlength=self.rows).astype(np.int64)


def read_dataset(stores: Stores, report: Report, until: int | None = None) -> Dataset:
    """Read the log, to the position `until` or its end.

    Items that only events know get their rows, as they do live.
    """
    total, read, parts = max(stores.log.count(), 1), 0, []
    shown: list[tuple[int, str]] = []

    def rows_of(ids: Sequence[str]) -> Rows:
        return stores.items.rows(ids, create=True)

    for logged in read_log(stores.log, until=until):
        parts.append(encode(logged, rows_of)[0])
        shown += [(e.position, e.event.surface) for e in logged if e.event.kind is Kind.IMPRESSION]
        read += len(logged)
        report("read", min(read / total, 1.0), f"read {read:,} of {total:,} events")
    events = EventBatch.concat(parts)
    newest = int(events.item.max(initial=-1)) + 1
    return Dataset(events, max(stores.columns.size, newest), read, PagesShown.of(shown))


def current_columns(stores: Stores, encoder: ContentEncoder | None = None) -> ItemColumns:
    """The catalogue as it is now, in a copy of its own.

    The shared columns go on changing under a training: a category that came between two of its
    phases would not fit the tower that was shaped before.
    """
    columns = ItemColumns.in_memory(encoder=encoder)
    columns.undated_is_new = stores.columns.undated_is_new
    for changes in read_catalog(stores.items):
        columns.write(changes)
    return columns


def item_inputs(columns: ItemColumns, rows: int, counts: NDArray[np.int64]) -> ItemInputs:
    """Content and categories of every row, as the catalogue has them now."""
    read = columns.read(np.arange(rows, dtype=np.int32), ("content", "categories"))
    return ItemInputs(
        np.ascontiguousarray(read["content"], np.float32),
        read["categories"].astype(np.int64),
        counts,
        tuple(columns.category_names()),
    )

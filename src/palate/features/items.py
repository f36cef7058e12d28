"""What events said of each item: counters as columns, in memory that every process shares."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Rows
from palate.errors import CorruptState
from palate.features.engagements import (
    FEW_USED,
    WIDE_USED,
    Engagements,
    columns_of,
    put,
    spreads,
    wanted,
)
from palate.features.folds import (
    COUNTING,
    ENGAGED_AT,
    ITEM_CLOCKS,
    ITEM_FOLDS,
    ITEM_SLOT,
    LAST_AT,
    SEGMENT_HALF_LIFE,
    layout_of,
    table_of,
)
from palate.mapped.files import CAPACITY, MappedArrays
from palate.mapped.layouts import Column, Layout
from palate.mapped.projections import COUNTED, SLOTS_HELD, Counts, room_for

SEGMENTS, REGIONS = 16, 32
TABLE = table_of(ITEM_FOLDS)
FORM = 2
"""Raise it when a packed record is written in another way."""
LAYOUT = layout_of(ITEM_FOLDS) ^ FORM
"""Told in each packed record, and in the name of the mapped file."""


def _layout(columns: int) -> Layout:
    return Layout(
        {
            "slots": Column("i4"),
            "counts": Column("f4", (COUNTING,), pool=COUNTED),
            "times": Column("f8", (LAST_AT + 1,), pool=COUNTED),
            **columns_of(columns, COUNTED),
        },
        {"position": "i8", "newest": "f8", "beat": "f8", "dirty": "i8", SLOTS_HELD: "i8"},
        about=str(LAYOUT),
    )


class ItemStates(Counts):
    """Item counters by slot. The stream worker writes; everybody else sees it at once."""

    def __init__(self, arrays: MappedArrays, segments: int) -> None:
        super().__init__(arrays)
        self._segments = segments

    @classmethod
    def in_memory(
        cls, capacity: int = CAPACITY, *, segments: int = SEGMENTS, regions: int = REGIONS
    ) -> "ItemStates":
        """Counters of this process alone."""
        return cls(MappedArrays.in_memory(_layout(segments + regions), capacity), segments)

    @staticmethod
    def distrust(directory: Path, *, segments: int, regions: int) -> bool:
        """Mark what lies below `directory` dirty; False where it is not what we would read."""
        return MappedArrays.brand(directory, _layout(segments + regions), dirty=1)

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        write: bool = False,
        segments: int = SEGMENTS,
        regions: int = REGIONS,
    ) -> "ItemStates":
        """Map the counters below `directory`; a reader may come before the writer."""
        layout = _layout(segments + regions)
        return cls(MappedArrays.open(directory, layout, write=write, capacity=CAPACITY), segments)

    @property
    def counts(self) -> Floats:
        """(slots, counting folds): `ITEM_FOLDS` as of their signal's time."""
        return self._arrays["counts"]

    @property
    def times(self) -> Doubles:
        """(slots, signals + 2): the newest of each signal, then the first and the last act.

        0 where there is none.
        """
        return self._arrays["times"]

    @property
    def engaged(self) -> Engagements:
        """Engagements by segment and region, 30-day half-life, as of the newest one."""
        return Engagements(*(self._arrays[name] for name in Engagements._fields))

    @property
    def newest(self) -> float:
        """Time of the newest event folded; 0 before the first."""
        return float(self._arrays.scalar("newest"))

    @property
    def beat(self) -> float:
        """When the stream worker last found nothing more to fold, by its clock; 0 for never."""
        return float(self._arrays.scalar("beat"))

    def grow(self, rows: int) -> None:
        """Make room for `rows` rows (the next power of two)."""
        if rows > self.capacity:
            self._arrays.grow(1 << (rows - 1).bit_length())

    def make_room(self, counted: Rows, engaged: Rows) -> None:
        """Let the fold find places for what it counts, and for each time it is engaged with."""
        self.allot(np.unique(counted[self.slots[counted] == 0]))
        slots, held = self.slots[engaged], self.engaged
        narrow, times = np.unique(slots[held.seats[slots] <= 0], return_counts=True)
        if len(narrow):
            self.seat(*wanted(held, narrow, times))

    def seat(self, few: int, wide: int) -> None:
        """Have room for so many that have few numbers, and many."""
        self._arrays.grow(0, few=room_for(int(few) + 1), wide=room_for(int(wide) + 1))

    def decayed(self, fold_name: str, now: float, rows: Rows | None = None) -> Floats:
        """Values of one fold as of `now` (of all rows by default)."""
        slot = ITEM_SLOT[fold_name]
        places = self.slots if rows is None else self.slots_of(rows)
        age = np.maximum(now - self.times[places, ITEM_CLOCKS[slot]], 0.0)
        faded: Floats = (self.counts[places, slot] * np.exp2(-age * TABLE.rate[slot])).astype(
            np.float32
        )
        return faded

    def by_segment(self, now: float, rows: Rows) -> Floats:
        """(n, segments): engagements of each segment's users as of `now`, 30-day half-life."""
        return self._by_column(now, rows)[:, : self._segments]

    def by_region(self, now: float, rows: Rows) -> Floats:
        """(n, regions): engagements of each region's users as of `now`, 30-day half-life."""
        return self._by_column(now, rows)[:, self._segments :]

    @property
    def first_region(self) -> int:
        """Column of the first region; the code of a region is its column."""
        return self._segments

    def _by_column(self, now: float, rows: Rows) -> Floats:
        slots = self.slots_of(rows)
        age = np.maximum(now - self.times[slots, ENGAGED_AT, None], 0.0)
        held = spreads(self.engaged, slots)
        faded: Floats = (held * np.exp2(-age / SEGMENT_HALF_LIFE)).astype(np.float32)
        return faded

    def records(self, rows: Rows) -> NDArray[Any]:
        """All numbers of some items, as the online store keeps them."""
        slots = self.slots_of(rows)
        told = np.empty(len(rows), self._record)
        told["layout"], told["times"], told["counts"] = (
            LAYOUT,
            self.times[slots],
            self.counts[slots],
        )
        told["segments"] = spreads(self.engaged, slots)
        return told

    def pack(self, row: int) -> bytes:
        """One item's record, as the online store keeps it."""
        return self.packed(np.array([row], np.int32))[row]

    def packed(self, rows: Rows) -> dict[int, bytes]:
        """The records of some items."""
        size, raw = self._record.itemsize, self.records(rows).tobytes()
        return {row: raw[size * n : size * (n + 1)] for n, row in enumerate(rows.tolist())}

    def readable(self, raw: bytes) -> bool:
        """Whether a record is of today's layout."""
        whole = len(raw) == self._record.itemsize
        return whole and int(np.frombuffer(raw, np.int64, 1)[0]) == LAYOUT

    @property
    def _record(self) -> np.dtype[Any]:
        """One item's record."""
        held = (("times", "f8", LAST_AT + 1), ("counts", "f4", COUNTING))
        return np.dtype([("layout", "i8"), *held, ("segments", "f4", self.engaged.wide.shape[1])])

    def load(self, row: int, raw: bytes) -> None:
        """Take over one item's record.

        Raises CorruptState where it has another layout.
        """
        self.grow(row + 1)
        if not self.readable(raw):
            raise CorruptState(
                f"the record of item row {row} is of another layout; run `palate rebuild`"
            )
        [record] = np.frombuffer(raw, self._record)
        slot = self.slot(row)
        self.times[slot], self.counts[slot] = record["times"], record["counts"]
        used = self.engaged.used
        self.seat(used[FEW_USED] + 1, used[WIDE_USED] + 1)
        put(self.engaged, slot, record["segments"].copy())

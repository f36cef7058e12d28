"""What events said of each item: counters as columns, in memory that every process shares."""

from pathlib import Path
from typing import Any

import numpy as np

from palate.arrays import Doubles, Floats, Rows
from palate.errors import CorruptState
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
from palate.mapped.projections import Counts

SEGMENTS, REGIONS = 16, 32
TABLE = table_of(ITEM_FOLDS)
FORM = 2
"""Raise it when a packed record is written in another way."""
LAYOUT = layout_of(ITEM_FOLDS) ^ FORM
"""Told in each packed record, and in the name of the mapped file."""


def _layout(columns: int) -> Layout:
    return Layout(
        {
            "counts": Column("f4", (COUNTING,)),
            "times": Column("f8", (LAST_AT + 1,)),
            "segments": Column("f4", (columns,)),
        },
        {"position": "i8", "newest": "f8", "beat": "f8", "dirty": "i8"},
        about=str(LAYOUT),
    )


class ItemStates(Counts):
    """Item counters by row. The stream worker writes; everybody else sees it at once."""

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
        """(capacity, counting folds): `ITEM_FOLDS` as of their signal's time."""
        return self._arrays["counts"]

    @property
    def times(self) -> Doubles:
        """(capacity, signals + 2): the newest of each signal, then the first and the last act.

        0 where there is none.
        """
        return self._arrays["times"]

    @property
    def segments(self) -> Floats:
        """(capacity, segments + regions): engagements, 30-day half-life, as of the newest one."""
        return self._arrays["segments"]

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

    def decayed(self, fold_name: str, now: float, rows: Rows | None = None) -> Floats:
        """Values of one fold as of `now` (of all rows by default)."""
        slot = ITEM_SLOT[fold_name]
        some = slice(None) if rows is None else rows
        age = np.maximum(now - self.times[some, ITEM_CLOCKS[slot]], 0.0)
        faded: Floats = (self.counts[some, slot] * np.exp2(-age * TABLE.rate[slot])).astype(
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
        age = np.maximum(now - self.times[rows, ENGAGED_AT, None], 0.0)
        held = np.take(self.segments, rows, axis=0)
        faded: Floats = (held * np.exp2(-age / SEGMENT_HALF_LIFE)).astype(np.float32)
        return faded

    def pack(self, row: int) -> bytes:
        """One item's record, as the online store keeps it."""
        told = np.int64(LAYOUT), self.times[row], self.counts[row], self.segments[row]
        return b"".join(part.tobytes() for part in told)

    def readable(self, raw: bytes) -> bool:
        """Whether a record is of today's layout."""
        whole = len(raw) == self._record.itemsize
        return whole and int(np.frombuffer(raw, np.int64, 1)[0]) == LAYOUT

    @property
    def _record(self) -> np.dtype[Any]:
        """One item's record."""
        named = (("times", self.times), ("counts", self.counts), ("segments", self.segments))
        return np.dtype(
            [("layout", "i8"), *((name, held.dtype, held.shape[1:]) for name, held in named)]
        )

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
        self.times[row], self.counts[row] = record["times"], record["counts"]
        self.segments[row] = record["segments"]

"""What events said of each item: counters as columns, in memory that every process shares."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Rows
from palate.errors import CorruptState
from palate.features.folds import ITEM_FOLDS, ITEM_SLOT, SEGMENT_HALF_LIFE, layout_of, table_of
from palate.mapped import Column, Layout, MappedArrays

CAPACITY = 1_024
SEGMENTS, REGIONS = 16, 32
TABLE = table_of(ITEM_FOLDS)
LAYOUT = layout_of(ITEM_FOLDS)
"""Told in each packed record, and in the name of the mapped file."""


def _layout(columns: int) -> Layout:
    return Layout(
        {
            "counters": Column("f8", (len(ITEM_FOLDS), 2)),
            "segments": Column("f8", (columns + 1,)),
        },
        {"position": "i8", "newest": "f8", "beat": "f8", "dirty": "i8"},
        about=str(LAYOUT),
    )


class ItemStates:
    """Item counters by row. The stream worker writes; everybody else sees it at once."""

    def __init__(self, arrays: MappedArrays, segments: int) -> None:
        self._arrays, self._segments = arrays, segments

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
    def capacity(self) -> int:
        return self._arrays.capacity

    @property
    def counters(self) -> Doubles:
        """(capacity, item folds, 2): value, as_of; see `features.folds.ITEM_FOLDS`."""
        return self._arrays["counters"]

    @property
    def segments(self) -> Doubles:
        """(capacity, segments + regions + 1): engagements, 30-day half-life; the last is as_of."""
        return self._arrays["segments"]

    @property
    def newest(self) -> float:
        """Time of the newest event folded; 0 before the first."""
        return float(self._arrays.scalar("newest"))

    @property
    def position(self) -> int:
        """Log position that is shown."""
        return int(self._arrays.scalar("position"))

    @property
    def beat(self) -> float:
        """When the stream worker last found nothing more to fold, by its clock; 0 for never."""
        return float(self._arrays.scalar("beat"))

    @property
    def whole(self) -> bool:
        """False where somebody else wrote over its files."""
        return self._arrays.whole

    @property
    def dirty(self) -> bool:
        """A fold began and its commit did not follow: what is shown may not be what is held."""
        return bool(self._arrays.scalar("dirty"))

    def stamp(self, **scalars: float) -> None:
        """Set `position`, `newest`, `beat` or `dirty`."""
        self._arrays.stamp(**scalars)

    def refresh(self) -> bool:
        """Follow the writer to a new generation; cheap, call it before each request."""
        return self._arrays.refresh()

    def grow(self, rows: int) -> None:
        """Make room for `rows` rows (the next power of two)."""
        if rows > self.capacity:
            self._arrays.grow(1 << (rows - 1).bit_length())

    def anew(self) -> AbstractContextManager[None]:
        """Load everything again from nothing; readers see what was until that is done."""
        return self._arrays.anew(CAPACITY)

    def decayed(self, fold_name: str, now: float, rows: Rows | None = None) -> Floats:
        """Values of one fold as of `now` (of all rows by default)."""
        slot = ITEM_SLOT[fold_name]
        pair = self.counters[:, slot] if rows is None else self.counters[rows, slot]
        age = np.maximum(now - pair[:, 1], 0.0)
        values: Floats = (pair[:, 0] * np.exp2(-age * TABLE.rate[slot])).astype(np.float32)
        return values

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
        held = np.take(self.segments, rows, axis=0)
        age = np.maximum(now - held[:, -1:], 0.0)
        values: Floats = (held[:, :-1] * np.exp2(-age / SEGMENT_HALF_LIFE)).astype(np.float32)
        return values

    def pack(self, row: int) -> bytes:
        """One item's record, as the online store keeps it."""
        parts = ([LAYOUT], self.counters[row].ravel(), self.segments[row])
        record: Doubles = np.concatenate(parts)
        return record.tobytes()

    def load(self, row: int, raw: bytes) -> None:
        """Take over one item's record.

        Raises CorruptState where it has another layout.
        """
        self.grow(row + 1)
        numbers: NDArray[Any] = np.frombuffer(raw, np.float64)
        split = 1 + len(ITEM_FOLDS) * 2
        if len(numbers) != split + self.segments.shape[1] or numbers[0] != LAYOUT:
            raise CorruptState(
                f"the record of item row {row} is of another layout; run `palate rebuild`"
            )
        self.counters[row] = numbers[1:split].reshape(-1, 2)
        self.segments[row] = numbers[split:]

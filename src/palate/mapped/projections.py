"""What follows the event log in mapped arrays: projections, and those that are counted in."""

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Rows
from palate.jit import kernel
from palate.mapped.files import CAPACITY, MappedArrays

COUNTED, SLOTS_HELD = "counted", "slots_held"
"""The pool of `Counts`, and the header's number of places in it that were given away."""


class Projection:
    """What follows the event log in mapped arrays, with its `position` in the header."""

    def __init__(self, arrays: MappedArrays) -> None:
        self._arrays = arrays

    @property
    def position(self) -> int:
        """Log position that is shown."""
        return int(self._arrays.scalar("position"))

    @property
    def whole(self) -> bool:
        """False where somebody else wrote over its files."""
        return self._arrays.whole

    def refresh(self) -> bool:
        """Follow the writer to a new generation; cheap, call it before each request."""
        return self._arrays.refresh()


class Counts(Projection):
    """One that the stream worker counts in, so that it may be ahead of what is held: `dirty`.

    Most rows of a large catalogue have nothing counted: numbers lie in a pool, at the row's *slot*.
    """

    @property
    def capacity(self) -> int:
        return self._arrays.capacity

    @property
    def dirty(self) -> bool:
        """A fold began and its commit did not follow: what is shown may not be what is held."""
        return bool(self._arrays.scalar("dirty"))

    def stamp(self, **scalars: float) -> None:
        """Set `position`, `dirty` and what else the header has."""
        self._arrays.stamp(**scalars)

    def anew(self) -> AbstractContextManager[None]:
        """Load everything again from nothing; readers see what was until that is done."""
        return self._arrays.anew(CAPACITY)

    @property
    def slots(self) -> Rows:
        """(capacity,): where in the pool each row's numbers lie; 0, which is blank, for nowhere."""
        return self._arrays["slots"]

    def slots_of(self, rows: NDArray[np.integer[Any]]) -> Rows:
        """Slots of some rows; 0 of those beyond the capacity."""
        found: Rows = self.slots.take(rows, mode="clip")
        strange = found.view(np.uint32) >= self._arrays.rooms[COUNTED]
        found[strange | (rows >= self.capacity)] = 0  # of a damaged file, too
        return found

    @property
    def allotted(self) -> Rows:
        """All rows that have a slot."""
        return np.flatnonzero(self.slots).astype(np.int32)

    def allot(self, rows: Rows) -> None:
        """Give a slot to those of some distinct rows that have none."""
        new = rows[self.slots[rows] == 0]
        if len(new):
            held = int(self._arrays.scalar(SLOTS_HELD))
            self._arrays.grow(0, **{COUNTED: room_for(held + 1 + len(new))})
            self.slots[new] = np.arange(held + 1, held + 1 + len(new))
            self._arrays.stamp(**{SLOTS_HELD: held + len(new)})

    def slot(self, row: int) -> int:
        """The slot of a row within the capacity; given where there was none."""
        if not self.slots[row]:
            self.allot(np.array([row], np.int32))
        return int(self.slots[row])


@kernel
def slot_in(slots: Rows, row: int, room: int) -> int:
    """Where a row's numbers lie in a pool; 0 for nowhere, and where a damaged file points away."""
    slot = int(slots[row]) if row < len(slots) else 0
    return slot if 0 <= slot < room else 0


def room_for(count: int) -> int:
    """Places are made by powers of two."""
    return 1 << (count - 1).bit_length()

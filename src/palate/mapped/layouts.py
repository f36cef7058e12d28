"""What a file of mapped arrays holds: its columns, how long each is, and where it begins.

The first dimension of a column grows with the file's capacity. Where most rows have nothing to say
in some columns, these are a *pool* beside it: as long as the rows that do say something, and they
are found through another column. A pool grows by itself; its first place stays blank.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np

ALIGN = 64
SUPERSEDED = "superseded"
NO_POOL = ", pool=''"
"""Left out of what is digested: files that were made before there were pools are read on."""


class Column(NamedTuple):
    """One array: (capacity, *width) of `dtype`, new places holding `fill`.

    `rows` fixes the first dimension; 0 lets it grow with the capacity, or with that of its `pool`.
    With `most` the array has a second dimension of as many places, or as few (but `fewest`) as keep
    it below `cells` in all if all rows had some.
    """

    dtype: str
    width: tuple[int, ...] = ()
    fill: float = 0
    rows: int = 0
    cells: int = 0
    fewest: int = 0
    most: int = 0
    pool: str = ""

    def shape(self, capacity: int, room: int = 0) -> tuple[int, ...]:
        """Of as many rows, and of as many in its pool."""
        rows = self.rows or (room if self.pool else capacity)
        if not self.most:
            return (rows, *self.width)
        bound = self.cells // capacity if self.cells else self.most
        return (rows, min(max(bound, self.fewest), self.most))


@dataclass(frozen=True)
class Layout:
    """What a file holds: the columns, and the scalars of its header (name -> dtype)."""

    columns: Mapping[str, Column]
    header: Mapping[str, str]
    about: str = ""
    """What else the numbers' meaning hangs on."""

    @property
    def digest(self) -> str:
        """Changes with any change of the layout: an old file is not read by a new layout."""
        told = repr((sorted(self.columns.items()), sorted(self.header.items()), self.about))
        told = told.replace(NO_POOL, "")
        return blake2b(told.encode(), digest_size=6).hexdigest()

    @property
    def pools(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(dict.fromkeys(each.pool for each in self.columns.values() if each.pool))

    @property
    def head(self) -> np.dtype[Any]:
        """The header's record: the capacity, the mark, the pools' room, the caller's scalars."""
        rooms = [(room_of(pool), "i8") for pool in self.pools]
        return np.dtype([("capacity", "i8"), (SUPERSEDED, "i8"), *rooms, *self.header.items()])

    def shapes(self, capacity: int, rooms: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        """Of every column."""
        each = self.columns.items()
        return {name: column.shape(capacity, rooms.get(column.pool, 0)) for name, column in each}

    def places(
        self, capacity: int, rooms: Mapping[str, int] | None = None
    ) -> tuple[dict[str, int], int]:
        """Where each column begins, and the file's size."""
        at, offsets = _aligned(self.head.itemsize), {}
        for name, shape in self.shapes(capacity, rooms or {}).items():
            offsets[name] = at
            cells = int(np.prod(shape, dtype=np.int64))
            at += _aligned(cells * np.dtype(self.columns[name].dtype).itemsize)
        return offsets, max(at, ALIGN)


def room_of(pool: str) -> str:
    """The header's name for the length of a pool."""
    return f"room of {pool}"


def _aligned(size: int) -> int:
    return -(-size // ALIGN) * ALIGN

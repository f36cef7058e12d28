"""A release's index and the items that came after it, searched as one."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from palate.arrays import Floats, Mask, Rows
from palate.catalog.columns import ItemColumns
from palate.index.exact import ExactIndex, best
from palate.index.protocol import Allowed, Index
from palate.index.slots import first

Place: TypeAlias = Callable[[Rows, ItemColumns], tuple[Floats, Mask]]
"""Where content alone puts items, and which of them say anything of themselves."""
SPARE = 50
"""Items asked for beyond what is wanted, for those that may not be shown."""


class Newcomers(NamedTuple):
    """Servable items that the release does not know."""

    rows: Rows
    """Sorted where the release knows all rows up to its end."""
    vectors: Floats
    near: ExactIndex


class GrowingIndex:
    """An index over the rows that are `known`, and exact search among those that came later."""

    def __init__(self, index: Index, known: Mask, place: Place) -> None:
        self._index, self._place = index, place
        self._unknown, self._end = np.flatnonzero(~known).astype(np.int32), len(known)
        self._seen = (-1, -1)
        self._newcomers = _gathered(np.empty(0, np.int32), np.empty((0, 1), np.float32))

    def moved(self) -> None:
        """What places newcomers has changed its mind: they are gathered anew."""
        self._seen = (-1, -1)

    def newcomers(self, columns: ItemColumns) -> Newcomers:
        """What came later; gathered anew when the catalogue's columns changed."""
        seen = columns.version, columns.size
        if self._seen != seen:
            after = np.arange(self._end, max(columns.size, self._end), dtype=np.int32)
            rows = np.concatenate([self._unknown, after])
            rows = rows[columns.servable[rows] != 0]
            vectors, told = self._place(rows, columns)
            self._newcomers = _gathered(rows[told], vectors[told])
            self._seen = seen
        return self._newcomers

    def nearest(
        self,
        vector: Floats,
        columns: ItemColumns,
        excluded: Rows,
        limit: int,
        allowed: Allowed | None = None,
    ) -> tuple[Rows, Floats]:
        """The `limit` servable rows with the largest dot products, best first.

        `excluded` is sorted; with `allowed` only rows among these.
        """
        wanted = limit + len(excluded) + SPARE
        found = self._found(vector, columns, wanted, allowed)
        rows, scores = first(*found, excluded, limit, columns.servable)
        if allowed is None and len(rows) < min(limit, len(found[0])):
            # More of what is near is gone by now than there was room for: pass over it inside.
            servable = Allowed(columns.servable.view(np.bool_))
            found = self._found(vector, columns, wanted, servable)
            rows, scores = first(*found, excluded, limit)
        return rows, scores

    def _found(
        self, vector: Floats, columns: ItemColumns, wanted: int, allowed: Allowed | None
    ) -> tuple[Rows, Floats]:
        """In the index and among the newcomers, best first."""
        rows, scores = self._index.search(vector, wanted, allowed)
        late = self.newcomers(columns)
        if not len(late.rows):
            return rows, scores
        more, theirs = late.near.search(vector, wanted, allowed)
        rows, scores = np.concatenate([rows, more]), np.concatenate([scores, theirs])
        return best(rows, scores, len(rows))


def _gathered(rows: Rows, vectors: Floats) -> Newcomers:
    return Newcomers(rows, vectors, ExactIndex(rows, vectors))

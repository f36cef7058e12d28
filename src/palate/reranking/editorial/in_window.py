"""Not too much of one thing within a few places."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Mask, Rows
from palate.catalog.columns import ItemColumns
from palate.funnel.types import NOTHING, Query, Slate
from palate.jit import kernel, swift
from palate.reranking.editorial.where import Where
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class InWindow:
    """At most `cap` items of one group in any `window` places in a row.

    A group is a value of an item column (an item may have several), or what matches a condition.
    A window reaches back over the pages before, as far as the query tells them; a page does not.
    """

    id: str
    cap: int
    window: int = 0
    """0 is the page."""
    column: str = ""
    where: Where | None = None
    catalogue: ItemColumns | None = None
    """Where the groups of earlier pages' items are read; None looks at one page alone."""
    demands: ClassVar[bool] = False

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.column,) if self.column else ()

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls("categories", 2, 5, "categories", catalogue=stores.columns)

    def watch(self, query: Query, slate: Slate, page: int) -> "_Window":
        tail = self._tail(query)
        codes = self._codes(query, slate, tail)
        return _Window(codes, self.cap, self.window or page, len(tail))

    def admits(self, query: Query, slate: Slate, slots: list[int]) -> Mask:
        page = min(query.size, len(slate))
        tail = self._tail(query)
        drawn = np.zeros(len(tail) + page, np.bool_)
        drawn[[len(tail) + slot for slot in slots]] = True
        codes = self._codes(query, slate, tail)
        return _admitted(codes, drawn, self.window or page, self.cap)[len(tail) :]

    def _tail(self, query: Query) -> Rows:
        """Entries of earlier pages that a window of this one still holds."""
        back = self.window - 1 if self.catalogue is not None else 0
        return query.tail[-back:] if back > 0 else NOTHING

    def _codes(self, query: Query, slate: Slate, tail: Rows) -> NDArray[Any]:
        """(n, values): the groups of the tail and then of each candidate, -1 for none."""
        rows = np.concatenate([tail, slate.rows])
        if self.where is not None:
            return np.where(self.where.holds(query, rows), 0, -1)[:, None].astype(np.int64)
        codes = np.asarray(slate.columns[self.column], np.int64)
        if len(tail) and self.catalogue is not None:
            before = self.catalogue.read(tail, [self.column])[self.column]
            codes = np.concatenate([before.astype(np.int64), codes])
        values, numbered = np.unique(codes, return_inverse=True)
        numbered = numbered.reshape(codes.shape if codes.ndim > 1 else (len(rows), 1))
        return numbered - 1 if len(values) and values[0] < 0 else numbered


class _Window:
    """The groups of the last places."""

    def __init__(self, codes: NDArray[Any], cap: int, window: int, before: int) -> None:
        """The first `before` of `codes` are of earlier pages, all others of candidates."""
        self._codes, self._cap, self._window, self._before = codes, cap, window, before
        self._taken = list(range(before))

    def allows(self, place: int, *, last: bool) -> Mask | None:
        recent = self._taken[-(self._window - 1) :] if self._window > 1 else []
        if len(recent) < self._cap:
            return None
        return _allowed(self._codes, np.array(recent, np.int64), self._cap)[self._before :]

    def takes(self, at: int) -> bool:
        self._taken.append(self._before + at)
        return False

    def owes(self) -> int:
        return 0

    def lacks(self) -> int:
        return 0


@kernel
def _allowed(codes: NDArray[np.int64], recent: NDArray[np.int64], cap: int) -> Mask:
    """False where a group of the candidate is at its cap among the `recent`."""
    count = np.zeros(codes.max() + 2, np.int64)
    for at in recent:
        for code in codes[at]:
            count[code] += code >= 0
    return _below(codes, count, cap)


@kernel
def _admitted(codes: NDArray[np.int64], drawn: Mask, window: int, cap: int) -> Mask:
    """False where a group could pass its cap in some window if all `drawn` places were of it."""
    page = len(drawn)
    if not len(codes):
        return np.ones(0, np.bool_)
    most = np.zeros(codes.max() + 2, np.int64)
    for start in range(max(page - window, 0) + 1):
        count, more = np.zeros(len(most), np.int64), 0
        for place in range(start, min(start + window, page)):
            more += drawn[place]
            for code in codes[place]:
                count[code] += code >= 0 and not drawn[place]
        if more:
            most = np.maximum(most, count + more)
    return _below(codes, most, cap + 1)


@swift
def _below(codes: NDArray[np.int64], count: NDArray[np.int64], cap: int) -> Mask:
    """True where no group of the candidate counts `cap` or more."""
    below = np.ones(len(codes), np.bool_)
    for i in range(len(codes)):
        for code in codes[i]:
            if code >= 0 and count[code] >= cap:
                below[i] = False
    return below

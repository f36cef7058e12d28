"""Not too much of one thing within a few places."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Mask
from palate.funnel.types import Query, Slate
from palate.reranking.editorial.where import Where
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class InWindow:
    """At most `cap` items of one group in any `window` places in a row.

    A group is a value of an item column (an item may have several), or what matches a condition.
    """

    id: str
    cap: int
    window: int = 0
    """0 is the page."""
    column: str = ""
    where: Where | None = None
    demands: ClassVar[bool] = False

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.column,) if self.column else ()

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls("categories", 2, 5, "categories")

    def watch(self, query: Query, slate: Slate, page: int) -> "_Window":
        return _Window(self._codes(query, slate), self.cap, self.window or page)

    def admits(self, query: Query, slate: Slate, slots: list[int]) -> Mask:
        codes, page = self._codes(query, slate), min(query.size, len(slate))
        window = min(self.window or page, page)
        kept = np.ones(page, np.bool_)
        kept[slots] = False
        most = np.zeros(_groups(codes), np.int64)
        for start in range(page - window + 1):
            places = np.arange(start, start + window)
            drawn = np.count_nonzero(~kept[places])
            if drawn:
                count = _count(codes[places[kept[places]]], len(most)) + drawn
                most = np.maximum(most, count)
        return ~_any_of(codes, most > self.cap)

    def _codes(self, query: Query, slate: Slate) -> NDArray[Any]:
        """(n, values): the groups of each candidate, -1 for none."""
        if self.where is not None:
            return np.where(self.where.holds(query, slate.rows), 0, -1)[:, None]
        codes = np.asarray(slate.columns[self.column], np.int64)
        return codes if codes.ndim > 1 else codes[:, None]


class _Window:
    """The groups of the last places."""

    def __init__(self, codes: NDArray[Any], cap: int, window: int) -> None:
        self._codes, self._cap, self._window = codes, cap, window
        self._groups = _groups(codes)
        self._taken: list[int] = []

    def allows(self, place: int, *, last: bool) -> Mask | None:
        recent = self._taken[-(self._window - 1) :] if self._window > 1 else []
        if len(recent) < self._cap:
            return None
        full = _count(self._codes[recent], self._groups) >= self._cap
        return ~_any_of(self._codes, full) if full.any() else None

    def takes(self, at: int) -> bool:
        self._taken.append(at)
        return False

    def owes(self) -> int:
        return 0

    def lacks(self) -> int:
        return 0


def _groups(codes: NDArray[Any]) -> int:
    return int(codes.max(initial=-1)) + 1


def _count(codes: NDArray[Any], groups: int) -> NDArray[np.int64]:
    flat = codes.ravel()
    return np.bincount(flat[flat >= 0], minlength=groups).astype(np.int64)


def _any_of(codes: NDArray[Any], groups: Mask) -> Mask:
    """True where any value of a candidate is among the groups."""
    # The place behind the last group is what -1 looks at.
    padded = np.append(groups, False)
    return np.asarray(padded[codes].any(axis=1))

"""A part of the page is kept for some."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from palate.arrays import Mask, Rows
from palate.funnel.types import NOTHING, Query, Slate
from palate.reranking.editorial.where import Where
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class AtLeast:
    """At least so many items of the page match, spread over it.

    Of a page of P places that has to hold m of them, the first p places hold m·p/P at least,
    rounded down (after FA*IR, Zehlike et al. 2017, doi:10.1145/3132847.3132938, without its test).
    """

    id: str
    where: Where
    share: float = 0.0
    """Of the page, rounded up; or `count`."""
    count: int = 0
    best: Callable[[Query], Rows] | None = None
    """What of the catalogue there is to choose from; None where the candidates have to do."""
    demands: ClassVar[bool] = True

    @property
    def reads(self) -> tuple[str, ...]:
        return ()

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls("drama", Where.of('"drama" in categories', stores.columns.plain), 0.3)

    def guests(self, query: Query) -> Rows:
        """What it may want, so that it is there: twice as many, for filters take some away."""
        if self.best is None:
            return NOTHING
        return self.best(query)[: 2 * self._wanted(query.size)]

    def watch(self, query: Query, slate: Slate, page: int) -> "_Owing":
        return _Owing(self.where.holds(query, slate.rows), self._wanted(page), page)

    def admits(self, query: Query, slate: Slate, slots: list[int]) -> Mask:
        holds, page = self.where.holds(query, slate.rows), min(query.size, len(slate))
        sure = np.count_nonzero(np.delete(holds[:page], slots))
        return holds if sure < self._wanted(page) else np.ones(len(slate), np.bool_)

    def _wanted(self, page: int) -> int:
        share = math.ceil(self.share * page - 1e-9)
        return min(page, max(self.count, share))


class _Owing:
    """How many there are, and how many there should be."""

    def __init__(self, holds: Mask, wanted: int, page: int) -> None:
        self._holds, self._page, self._wanted = holds, page, wanted
        self._there = int(np.count_nonzero(holds))
        self._placed, self._behind = 0, False

    def allows(self, place: int, *, last: bool) -> Mask | None:
        due = self._wanted * (place + 1) // self._page
        self._behind = self._placed < due or (last and self.owes() > 0)
        return self._holds if self._behind else None

    def takes(self, at: int) -> bool:
        self._placed += bool(self._holds[at])
        return self._behind and bool(self._holds[at])

    def owes(self) -> int:
        return max(0, min(self._wanted, self._there) - self._placed)

    def lacks(self) -> int:
        return max(0, self._wanted - self._placed)

"""Given items stand in given places."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Mask, Rows
from palate.funnel.types import Query, Reason, Slate
from palate.reranking.editorial.where import Where
from palate.stores import Stores

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Pin:
    """Its items, in order, stand at its slots; what may not be shown makes room for the next.

    With a condition instead of items these are the candidates that match, best first. A slot that
    is taken moves to the next free place.
    """

    id: str
    rows: Rows
    """The items, or what of the catalogue may become a candidate for it."""
    slots: tuple[int, ...]
    """Positions from 1, over all pages."""
    where: Where | None = None
    reason: Reason | None = None
    per_visitor: int = 0
    """Times that a visitor is shown an item here within `per_days`; 0 is no limit."""
    per_days: float = 1.0
    best: Callable[[Query], Rows] | None = None
    """With a condition: which of the items may become candidates for this request."""
    demands: ClassVar[bool] = True

    @property
    def reads(self) -> tuple[str, ...]:
        return ()

    @classmethod
    def default(cls, stores: Stores) -> Self:
        reason = Reason("editorial", rule="favourites")
        return cls("favourites", np.array([40, 3], np.int32), (1, 4), reason=reason)

    def capped(self, times: int, days: float) -> Self:
        """The same, for as long as the visitor was not shown an item so many times."""
        return replace(self, per_visitor=times, per_days=days)

    def guests(self, query: Query) -> Rows:
        """What it may place, so that it is there to be placed."""
        rows = self.rows[query.allows(self.rows)] if self.best is None else self.best(query)
        return rows[~self._worn(query, rows)]

    def watch(self, query: Query, slate: Slate, page: int) -> "_Pinning":
        slots = [slot - 1 - query.given for slot in self.slots if slot > query.given]
        at = self._places(query, slate)
        at = at[~self._worn(query, slate.rows[at])]
        pairs = zip(sorted(slots), at.tolist(), strict=False)
        return _Pinning(len(slate), [(slot, each) for slot, each in pairs if slot < page])

    def admits(self, query: Query, slate: Slate, slots: list[int]) -> Mask:
        if self.where is not None:
            return np.ones(len(slate), np.bool_)
        return ~np.isin(slate.rows, self.rows)

    def _places(self, query: Query, slate: Slate) -> NDArray[np.intp]:
        """Where its items are among the candidates, in the order in which it wants them."""
        if self.where is not None:
            return np.flatnonzero(self.where.holds(query, slate.rows))
        known = {row: at for at, row in enumerate(slate.rows.tolist())}
        return np.array([known[r] for r in self.rows.tolist() if r in known], np.intp)

    def _worn(self, query: Query, rows: Rows) -> Mask:
        """Items that this visitor was shown often enough."""
        if not self.per_visitor:
            return np.zeros(len(rows), np.bool_)
        user = query.user
        lately = user.shown[user.shown_times > query.now - self.per_days * DAY]
        return np.array([np.count_nonzero(lately == r) >= self.per_visitor for r in rows], np.bool_)


class _Pinning:
    """Items that wait for their place."""

    def __init__(self, size: int, waiting: list[tuple[int, int]]) -> None:
        self._size, self._waiting = size, waiting

    def allows(self, place: int, *, last: bool) -> Mask | None:
        if not self._waiting:
            return None
        slot, due = self._waiting[0]
        if slot <= place:
            mask = np.zeros(self._size, np.bool_)
            mask[due] = True
            return mask
        mask = np.ones(self._size, np.bool_)
        mask[[at for _, at in self._waiting]] = False
        return mask

    def takes(self, at: int) -> bool:
        waited = len(self._waiting)
        self._waiting = [each for each in self._waiting if each[1] != at]
        return len(self._waiting) < waited

    def owes(self) -> int:
        return len(self._waiting)

    def lacks(self) -> int:
        return len(self._waiting)

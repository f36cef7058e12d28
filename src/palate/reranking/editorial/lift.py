"""What an operator favours ranks higher, what they would rather not show ranks lower."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from msgspec import structs

from palate.funnel.types import Query, Reason, Slate
from palate.reranking.editorial.where import Where
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class Lift:
    """Adds to the score of what matches; items that nobody proposed stay away."""

    id: str
    where: Where
    by: float
    """In units of the distance between the page's best and worst; below 0 it buries."""
    reason: Reason | None = None
    """What is said of an item that it brought onto the page, or further up on it; None leaves the
    item its own reason."""

    @property
    def reads(self) -> tuple[str, ...]:
        return ()

    @property
    def required(self) -> bool:
        return False

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls("drama", Where.of('"drama" in categories', stores.columns.plain), 0.5)

    def apply(self, query: Query, slate: Slate) -> Slate:
        holds = self.where.holds(query, slate.rows)
        if not holds.any():
            return slate
        ends = slate.scores[[0, min(query.size, len(slate)) - 1]]
        spread = float(ends[0] - ends[1]) or 1.0
        gain = np.float32(self.by * spread) * holds.astype(np.float32)
        lifted = slate.scored(slate.scores + gain)
        if self.reason is None:
            return lifted
        was = {row: at for at, row in enumerate(slate.rows.tolist())}
        meant = set(slate.rows[holds].tolist())
        page = enumerate(lifted.rows[: query.size].tolist())
        marks = dict(slate.marks)
        # What another rule has brought up already need not move to have been paid for.
        for row in (row for at, row in page if row in meant and (at < was[row] or row in marks)):
            first = marks.get(row)
            marks[row] = first.over(self.reason) if first else self.reason
        return structs.replace(lifted, marks=marks)

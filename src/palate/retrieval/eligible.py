"""Whatever passes a narrow filter, so that such a page is full."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from palate.catalog.columns import ItemColumns
from palate.funnel.types import Candidates, Query, Reason
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class Eligible:
    """What the request's filter lets through, where that is little; else nothing.

    Other generators know a few hundred items each, of which a narrow filter may leave none.
    """

    columns: ItemColumns

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.columns)

    async def generate(self, query: Query, limit: int) -> Candidates:
        if query.matching is None or query.matching.rows is None:
            return Candidates.none()
        rows = query.matching.rows
        rows = rows[query.allows(rows) & (self.columns.servable[rows] != 0)]
        if len(rows) > limit:
            rows = query.dice("eligible").choice(rows, limit, replace=False)
        return Candidates(rows, np.linspace(1, 0, len(rows), dtype=np.float32))

    def explain(self, query: Query, row: int) -> Reason:
        return Reason("explore")

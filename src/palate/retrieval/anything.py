"""A few items by lot, so that whatever is in the catalogue gets its chance."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from palate.catalog.columns import ItemColumns
from palate.funnel.types import Candidates, Query, Reason
from palate.index.slots import distinct
from palate.stores import Stores

PLENTY = 8
"""Of so many times as many as are wanted some are drawn; fewer are all put in an order by lot."""


@dataclass(frozen=True, slots=True)
class Anything:
    """A uniform draw of servable items; all of them where the catalogue is small.

    It fills the page of a site without events and that of a narrow filter, and gives Explore what
    no other generator knows: what only the lot brought stands behind everything else
    (`funnel.worth.BY_LOT`). A lot stands for an hour of a visitor (`Query.lots`), so what it fills
    is certain given what is logged, and the probabilities on record are those of what came after.
    """

    explores: ClassVar[bool] = True

    columns: ItemColumns
    share: float = 0.1
    """Of the candidates asked for, when the catalogue is larger than they."""

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.columns)

    async def generate(self, query: Query, limit: int) -> Candidates:
        size, dice = self.columns.size, query.lots("anything")
        passing = query.matching.rows if query.matching else None
        if passing is not None:
            wanted, rows = limit, passing
            if len(rows) > PLENTY * limit:
                rows = rows[distinct(dice.integers(0, len(rows), 2 * limit, np.int32))]
            rows = dice.permutation(rows)
        elif size <= limit:
            wanted, rows = limit, dice.permutation(size).astype(np.int32)
        else:
            wanted = int(self.share * limit)
            rows = distinct(dice.integers(0, size, 2 * wanted, np.int32))
            dice.shuffle(rows)
        rows = rows[(self.columns.servable[rows] != 0) & query.allows(rows)][:wanted]
        falling = 1.0 - np.arange(len(rows)) / max(len(rows) - 1, 1)
        return Candidates(rows, falling.astype(np.float32))

    def explain(self, query: Query, row: int) -> Reason:
        return Reason("explore")

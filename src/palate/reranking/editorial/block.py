"""A block list: what is on it is not shown."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from palate.arrays import Mask, Rows
from palate.funnel.types import NOTHING, Columns, Query
from palate.index.slots import outside
from palate.reranking.editorial.where import Where
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class Block:
    """Hides the items that the operator named, and those that match a condition.

    Where the condition asks for what is not known of the visitor it counts as holding.
    """

    id: str
    rows: Rows
    """Sorted, distinct."""
    where: Where | None = None
    closed: str = ""
    """What of the operator's words makes no sense, so that it hides more than they meant."""

    @property
    def reads(self) -> tuple[str, ...]:
        return ()

    @classmethod
    def default(cls, stores: Stores) -> Self:
        where = Where.of('"drama" in categories', stores.columns.plain)
        return cls("drama", np.array([1, 30], np.int32), where)

    def keep(self, query: Query, rows: Rows, columns: Columns) -> Mask:
        kept = outside(rows, self.rows)
        return kept if self.where is None else kept & ~self.where.may_hold(query, rows)

    def excludes(self, query: Query) -> Rows:
        return self.rows if len(self.rows) else NOTHING

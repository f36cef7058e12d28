"""Content policy by region and age, on top of what the catalogue says of each item."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from palate.arrays import Mask, Rows
from palate.funnel.types import NOTHING, Columns, Query
from palate.reranking.editorial.where import Where
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class Restrict:
    """Hides what matches from visitors who are not known to be of the region and the age."""

    id: str
    where: Where
    regions: frozenset[str] = frozenset()
    """In capitals; empty is everywhere."""
    min_age: int = 0
    closed: str = ""
    """What of the operator's words makes no sense, so that it hides more than they meant."""

    @property
    def reads(self) -> tuple[str, ...]:
        return ()

    @classmethod
    def default(cls, stores: Stores) -> Self:
        where = Where.of('"drama" in categories', stores.columns.plain)
        return cls("drama", where, frozenset({"DE"}), 18)

    def admits(self, query: Query) -> bool:
        """Whether the visitor is known to be of the region and the age."""
        here = not self.regions or query.region.upper() in self.regions
        return here and (query.age or 0) >= self.min_age

    def keep(self, query: Query, rows: Rows, columns: Columns) -> Mask:
        if self.admits(query):
            return np.ones(len(rows), np.bool_)
        return ~self.where.may_hold(query, rows)

    def excludes(self, query: Query) -> Rows:
        return NOTHING

"""What is new, nearest to your taste first."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from palate.catalog.columns import ItemColumns
from palate.catalog.quantised import dots
from palate.features.boards import GLOBAL, Leaderboards
from palate.funnel.types import Candidates, Query, Reason
from palate.index.exact import best
from palate.retrieval.boards import head
from palate.stores import Stores

DEPTH = 3
"""Taste chooses among so many times as many of the newest."""
YOUNG = 90 * 86_400.0
"""Seconds since publication for which an item is said to be new; older ones are but the newest."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """The newest items, by how new they are and how much they read like the last ones taken in."""

    explores: ClassVar[bool] = True

    columns: ItemColumns
    boards: Leaderboards
    taste: float = 1.0
    """What a perfect likeness counts against being the newest of all."""
    history: int = 10
    """How many of the visitor's last items tell the taste."""

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.columns, stores.boards)

    async def generate(self, query: Query, limit: int) -> Candidates:
        found = head(self.boards, GLOBAL["fresh"], query, DEPTH * limit)
        newness = 1.0 - np.arange(len(found)) / max(len(found), 1)
        history = query.about(self.history)
        if len(history):
            taste = self.columns.read(history, ["content"])["content"].sum(axis=0)
            taste *= self.taste / max(float(np.linalg.norm(taste)), 1e-9)
            newness = newness + dots(self.columns.content, found.rows, taste)
        return Candidates(*best(found.rows, newness.astype(np.float32), limit))

    def explain(self, query: Query, row: int) -> Reason:
        published = self.columns.published[row]
        return Reason("fresh" if query.now - published <= YOUNG else "newest")

"""Items near to you in the learnt space."""

from dataclasses import dataclass
from math import ceil
from typing import Self

import numpy as np

from palate.arrays import Floats, Rows
from palate.catalog.columns import ItemColumns
from palate.funnel.types import Candidates, Query, Reason
from palate.models import two_tower
from palate.stores import Stores

RECENT, BECAUSE = 10, 2
"""A reason names those of the last ten items that read most like the one proposed: what the tower
itself weighed cannot be told apart by item."""


@dataclass(frozen=True, slots=True)
class TwoTower:
    """Approximate nearest neighbours of the visitor's vector, or of the seed item's."""

    model: two_tower.TwoTower | None
    """None where the release has no tower."""
    columns: ItemColumns

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.release.two_tower if stores.release else None, stores.columns)

    async def generate(self, query: Query, limit: int) -> Candidates:
        if self.model is None:
            return Candidates.none()
        allowed = query.matching.allowed if query.matching else None
        if query.seed_item < 0:
            who = (query.user, query.now, self.columns, query.excluded)
            quota = ceil(limit * self.model.facts.share)
            return Candidates(*self.model.candidates(*who, quota, allowed))
        more = limit + len(query.excluded)
        near = Candidates(*self.model.similar(query.seed_item, self.columns, more, allowed))
        return near.take(query.allows(near.rows)).take(slice(0, limit))

    def explain(self, query: Query, row: int) -> Reason:
        if query.seed_item >= 0:
            return Reason("similar_to_item", (query.seed_item,), (1.0,))
        history = query.about(RECENT)
        vectors = query.once("recent_content", lambda: self._content(history))
        nearest = np.argsort(-(vectors @ self.columns.content[row]), kind="stable")[:BECAUSE]
        return Reason("taste", tuple(history[nearest].tolist()))

    def _content(self, rows: Rows) -> Floats:
        return self.columns.read(rows, ["content"])["content"]

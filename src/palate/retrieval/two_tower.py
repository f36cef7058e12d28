"""Items near to you in the learnt space."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Rows
from palate.catalog.columns import ItemColumns
from palate.funnel.types import Candidates, Query, Reason
from palate.jit import swift
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
        return self.explain_all(query, [row])[0]

    def explain_all(self, query: Query, rows: Sequence[int]) -> list[Reason]:
        """The same of a page."""
        if query.seed_item >= 0:
            return [self.explain(query, row) for row in rows]
        history = query.about(RECENT)
        told = _nearest(self._content(history), self._content(np.array(rows, np.int32)))
        return [Reason("taste", because) for because in map(tuple, history[told].tolist())]

    def _content(self, rows: Rows) -> Floats:
        return self.columns.read(rows, ("content",))["content"]


@swift
def _nearest(mine: Floats, theirs: Floats) -> NDArray[np.int64]:
    """(theirs, BECAUSE): places of those of mine that each is most like; of equals the first."""
    few = min(BECAUSE, len(mine))
    found = np.empty((len(theirs), few), np.int64)
    near = np.empty(len(mine), np.float32)
    for at in range(len(theirs)):
        for k in range(len(mine)):
            total = np.float32(0.0)
            for i in range(mine.shape[1]):
                total += mine[k, i] * theirs[at, i]
            near[k] = total
        for place in range(few):
            best = 0
            for k in range(1, len(near)):
                best = k if near[k] > near[best] else best
            found[at, place], near[best] = best, np.float32(-np.inf)
    return found

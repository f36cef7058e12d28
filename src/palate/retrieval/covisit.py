"""What people took in next to what you took in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from palate.catalog.columns import ItemColumns
from palate.funnel.types import Candidates, Query, Reason
from palate.models import covisit
from palate.models.covisit_reading import Scaled
from palate.stores import Stores

TOLD = 3
"""Items that a reason names at most."""


@dataclass(frozen=True, slots=True)
class Covisit:
    """Neighbours in the co-visitation counts of the last items, or of the seed item."""

    counts: covisit.Covisit
    columns: ItemColumns
    history: int = 20
    """How many of the visitor's last items are asked for their neighbours."""

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.covisit, stores.columns, stores.covisit.settings.history)

    async def generate(self, query: Query, limit: int) -> Candidates:
        servable, alike = query.servable(self.columns), self.columns.alike
        scaled = self._scaled(query)
        return Candidates(*self.counts.score_of(scaled, servable, query.excluded, limit, alike))

    def explain(self, query: Query, row: int) -> Reason:
        if query.seed_item >= 0:
            return self._beside(query.seed_item, row)
        return self.explain_all(query, [row])[0]

    def explain_all(self, query: Query, rows: Sequence[int]) -> list[Reason]:
        """The same of a page of distinct rows."""
        if query.seed_item >= 0:
            return [self._beside(query.seed_item, row) for row in rows]
        scaled, wanted = self._scaled(query), np.array(rows, np.int32)
        shares = self.counts.shares(scaled, wanted, TOLD, self.columns.alike)
        return [Reason("because_of_items", *told) for told in shares]

    def _scaled(self, query: Query) -> Scaled:
        history = query.about(self.history)
        return query.once(("covisit", self.history), lambda: self.counts.scaled(history))

    def _beside(self, seed: int, row: int) -> Reason:
        """Nobody is said to have chosen both where it is only described alike."""
        if self.counts.counted_together(seed, row):
            return Reason("similar_to_item", (seed,), (1.0,))
        one, other = self.columns.read(np.array([seed, row], np.int32), ("content",))["content"]
        cosine = float(one @ other)
        return Reason("similar_to_item", (seed,), (cosine,), generator="content")

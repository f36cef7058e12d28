"""The best of what a rule is about, so that it is there to be placed whoever proposes what."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from palate.arrays import Mask, Rows
from palate.expressions.tree import All
from palate.funnel.types import Query
from palate.reranking.editorial.where import Where
from palate.stores import Stores
from palate.surfaces.steered.leaving import of_condition

LOOKED_AT = 100_000
"""The most popular items; a condition on the visitor or the time is asked of these alone."""
KEPT = 64
"""Answers that are remembered, one for each minute and each set of a visitor's values."""


@dataclass(frozen=True)
class Best:
    """The most popular items of a condition that a request allows."""

    where: Where
    rows: Rows
    """What matches, or may, the most popular first."""
    most: int
    _known: dict[Hashable, Rows] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, where: Where, stores: Stores, most: int) -> Self:
        """Look through the whole catalogue once, by what is the same for everybody at all times."""
        rows = _lasting(where).everywhere()
        kept = most if where.lasting else LOOKED_AT
        states = stores.states
        taken = states.decayed("engaged_30d", states.newest, rows)
        return cls(where, rows[np.argsort(-taken, kind="stable")[:kept]], most)

    def __call__(self, query: Query) -> Rows:
        """At most `most` rows."""
        rows = self.rows if self.where.lasting else self._now(query)
        allowed: Mask = query.allows(rows)
        return rows[allowed]

    def _now(self, query: Query) -> Rows:
        """What matches for this visitor in this minute."""
        asked = of_condition(self.where, query)
        if asked not in self._known:
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[asked] = self.rows[self.where.holds(query, self.rows)][: self.most]
        return self._known[asked]


def _lasting(where: Where) -> Where:
    """What of a condition says the same of everybody at all times: no more than it lets through."""
    condition = where.condition
    if where.lasting or not isinstance(condition, All):
        return where if where.lasting else Where(None, where.catalogue)
    parts = tuple(e for e in condition.parts if Where(e, where.catalogue).lasting)
    return Where(All(parts, condition.at) if parts else None, where.catalogue)

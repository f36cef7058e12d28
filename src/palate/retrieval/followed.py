"""From the makers you follow, and from those whose work you liked."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from palate.arrays import Doubles, Rows
from palate.catalog.columns import ItemColumns
from palate.events.kinds import Signal
from palate.features.boards import Leaderboards
from palate.features.folds import DAY
from palate.features.items import ItemStates
from palate.funnel.types import NOTHING, Candidates, Query, Reason
from palate.index.slots import distinct, outside
from palate.stores import Stores

FOLLOWING, LIKED = 1.0, 0.3
"""What following a creator counts, and what each liked item of theirs does, up to three."""
ENOUGH = 3
NEWS, HALF_LIFE = 3.0, 30 * DAY
"""What being new counts beside the logarithm of popularity, and how long it lasts."""

NO_STRENGTH: Doubles = np.empty(0)


@dataclass(frozen=True, slots=True)
class Followed:
    """Items of followed creators and of the creators of liked items: new and popular ones first."""

    columns: ItemColumns
    states: ItemStates
    boards: Leaderboards
    history: int = 100
    """How many of the visitor's last events are searched for likes."""
    creators: int = 16
    """How many creators are looked at, those that count most."""
    scan: int = 100_000
    """Up to so many items all of a creator's are found; beyond, those on the boards."""

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.columns, stores.states, stores.boards)

    async def generate(self, query: Query, limit: int) -> Candidates:
        codes, strengths = self._creators(query)
        if not len(codes):
            return Candidates.none()
        rows = self._reachable(limit)
        of = self.columns.creator[rows]
        theirs = ~outside(of, np.sort(codes))
        rows, of = rows[theirs], of[theirs]
        kept = (self.columns.servable[rows] != 0) & query.allows(rows)
        rows, of = rows[kept], of[kept]
        order = np.argsort(codes)
        strength = strengths[order[np.searchsorted(codes[order], of)]]
        scores = (strength * self._appeal(query, rows)).astype(np.float32)
        best = np.lexsort((rows, -scores))[:limit]
        return Candidates(rows[best], scores[best])

    def explain(self, query: Query, row: int) -> Reason:
        maker = int(self.columns.creator[row])
        trait = self.columns.creator_name(maker)
        if maker in query.follows:
            return Reason("followed", trait=trait)
        liked = self._liked(query)
        because = liked[self.columns.read(liked, ("creator",))["creator"] == maker]
        return Reason("because_of_items", tuple(because[:2].tolist()), trait=trait)

    def _creators(self, query: Query) -> tuple[Rows, Doubles]:
        """Codes of the creators that count most, and how much each does."""
        rows = self._liked(query)
        if not len(rows) and not len(query.follows):
            return NOTHING, NO_STRENGTH
        liked = self.columns.read(rows, ("creator",))["creator"]
        codes, times = np.unique(liked[liked >= 0], return_counts=True)
        follows = np.setdiff1d(query.follows, codes)
        everyone = np.concatenate([codes, follows]).astype(np.int32)
        strengths = np.concatenate(
            [LIKED * np.minimum(times, ENOUGH), np.zeros(len(follows))]
        ) + FOLLOWING * np.isin(everyone, query.follows)
        most = np.argsort(-strengths, kind="stable")[: self.creators]
        return everyone[most], strengths[most]

    def _liked(self, query: Query) -> Rows:
        """What got a positive signal, newest first; the seed item alone where there is one."""
        if query.seed_item >= 0:
            return query.about(1)
        user = query.user
        liked = user.history[(user.signals & Signal.POSITIVE) != 0]
        newest: Rows = liked[::-1][: self.history]
        return newest

    def _reachable(self, limit: int) -> Rows:
        size = self.columns.size
        if size <= self.scan:
            return np.arange(size, dtype=np.int32)
        heads = [self.boards.top(name, 2 * limit)[0] for name in ("fresh", "popular", "trending")]
        return distinct(np.concatenate(heads))

    def _appeal(self, query: Query, rows: Rows) -> Doubles:
        counts = self.states.decayed("engaged_30d", query.now, rows).astype(np.float64)
        age = np.maximum(query.now - self.columns.published[rows], 0.0)
        news = np.where(np.isnan(age), 0.0, np.exp2(-age / HALF_LIFE))
        appeal: Doubles = 0.1 + np.log1p(counts) + NEWS * news
        return appeal

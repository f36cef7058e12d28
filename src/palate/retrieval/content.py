"""Items that are described like those you took in."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from palate.arrays import Floats, Rows
from palate.catalog.columns import ItemColumns
from palate.catalog.quantised import dots
from palate.features.boards import Leaderboards
from palate.funnel.types import Candidates, Query, Reason
from palate.index.exact import best
from palate.index.slots import distinct
from palate.stores import Stores

HEADS = 4
"""Categories whose heads are looked at in a large catalogue."""
NEVER = np.float32(-np.inf)


@dataclass(frozen=True, slots=True)
class Content:
    """Nearest content vectors to the last items, or to the seed item; needs no events at all."""

    columns: ItemColumns
    boards: Leaderboards
    history: int = 5
    """How many of the visitor's last items are looked at; each counts `fade` of the one after."""
    fade: float = 0.7
    scan: int = 20_000
    """Up to so many items everything is compared; beyond, the heads of the items' categories and
    what is fresh, since a scan of a million vectors takes longer than a whole request may."""

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.columns, stores.boards)

    async def generate(self, query: Query, limit: int) -> Candidates:
        history = query.about(self.history)
        wanted = self._wanted(history)
        if not wanted.any():
            return Candidates.none()
        rows = self._reachable(query, history, limit)
        scores = _likeness(self.columns, rows, wanted, query)
        found = Candidates(*best(rows, scores, limit))
        return found.take(found.scores > 0.0)  # at a right angle or beyond it is not like it at all

    def explain(self, query: Query, row: int) -> Reason:
        history = query.about(self.history)
        likeness = self._vectors(history) @ self._vectors(np.array([row], np.int32))[0]
        nearest = int(np.argmax(likeness))
        weight = float(likeness[nearest])
        return Reason("similar_to_item", (int(history[nearest]),), (weight,))

    def _wanted(self, history: Rows) -> Floats:
        weights = np.float32(self.fade) ** np.arange(len(history), dtype=np.float32)
        wanted: Floats = weights.astype(np.float32) @ self._vectors(history)
        return wanted

    def _vectors(self, rows: Rows) -> Floats:
        return self.columns.read(rows, ["content"])["content"]

    def _reachable(self, query: Query, history: Rows, limit: int) -> Rows:
        size = self.columns.size
        if size <= self.scan:
            return np.arange(size, dtype=np.int32)
        if query.matching and query.matching.rows is not None:
            return query.matching.rows[: self.scan]
        codes = self.columns.read(history, ["categories"])["categories"].ravel()
        newest = list(dict.fromkeys(code for code in codes.tolist() if code >= 0))[:HEADS]
        heads = [self.boards.category(code, limit)[0] for code in newest]
        return distinct(np.concatenate([*heads, self.boards.top("fresh", limit)[0]]))


def _likeness(columns: ItemColumns, rows: Rows, wanted: Floats, query: Query) -> Floats:
    """Dot products; `NEVER` for what may not be proposed."""
    everything = len(rows) == columns.size
    excluded, servable = query.excluded, query.servable(columns)
    servable = servable[: columns.size] if everything else servable[rows]
    scores = dots(columns.content, rows, wanted)
    scores[servable == 0] = NEVER
    if everything:
        scores[excluded[excluded < len(scores)]] = NEVER
    else:
        scores[~query.welcomes(rows)] = NEVER
    return scores

"""The heads of the genres you keep to."""

from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import NDArray

from palate.catalog.columns import ItemColumns
from palate.features.boards import Leaderboards
from palate.funnel.merge import merge
from palate.funnel.types import Candidates, Query, Reason
from palate.retrieval.boards import head
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class PopularInGenre:
    """Decayed popularity within the categories that the visitor's last items, or the seed, have."""

    columns: ItemColumns
    boards: Leaderboards
    history: int = 20
    """How many of the visitor's last items tell the genres; each counts `fade` of the one after."""
    fade: float = 0.9
    genres: int = 3
    """How many are followed."""

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.columns, stores.boards)

    async def generate(self, query: Query, limit: int) -> Candidates:
        codes, shares = self._liked(query)
        heads = [head(partial(self.boards.category, int(code)), query, limit) for code in codes]
        pool = merge([str(code) for code in codes], heads, limit)
        votes = np.where(pool.ranks > 0, shares[None, :] / np.sqrt(1.0 + pool.ranks), 0.0)
        scores = votes.sum(axis=1).astype(np.float32)
        return Candidates(pool.rows, scores).take(np.argsort(-scores, kind="stable"))

    def explain(self, query: Query, row: int) -> Reason:
        of_item = self.columns.categories[row]
        code = next((int(code) for code in self._liked(query)[0] if code in of_item), -1)
        return Reason("popular", trait=self.columns.category_names()[code] if code >= 0 else "")

    def _liked(self, query: Query) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Codes of the strongest categories, strongest first, and their shares."""
        codes = self.columns.read(query.about(self.history), ["categories"])["categories"]
        weights = np.repeat(self.fade ** np.arange(len(codes)), codes.shape[1])
        named = codes.ravel() >= 0
        sums = np.bincount(codes.ravel()[named], weights[named])
        best = np.argsort(-sums, kind="stable")[: self.genres]
        best = best[sums[best] > 0]
        return best, sums[best] / max(float(sums.sum()), 1e-9)

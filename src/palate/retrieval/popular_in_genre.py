"""The heads of the genres you keep to."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Rows
from palate.catalog.columns import ItemColumns
from palate.features.boards import Leaderboards, of_category
from palate.funnel.types import Candidates, Query, Reason
from palate.index.exact import best
from palate.index.slots import summed
from palate.jit import kernel
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
        heads = [head(self.boards, of_category(int(code)), query, limit) for code in codes]
        if not heads:
            return Candidates.none()
        rows = np.concatenate([each.rows for each in heads])
        sizes = np.array([len(each.rows) for each in heads])
        return Candidates(*best(*_voted(rows, sizes, shares), limit))

    def explain(self, query: Query, row: int) -> Reason:
        of_item = self.columns.categories[row]
        code = next((int(code) for code in self._liked(query)[0] if code in of_item), -1)
        return Reason("popular", trait=self.columns.category_name(code))

    def _liked(self, query: Query) -> tuple[NDArray[np.int64], Doubles]:
        """Codes of the strongest categories, strongest first, and their shares."""
        return query.once(
            (type(self), self.history, self.fade, self.genres), lambda: self._of(query)
        )

    def _of(self, query: Query) -> tuple[NDArray[np.int64], Doubles]:
        codes = self.columns.read(query.about(self.history), ["categories"])["categories"]
        sums = _sums(codes, self.fade)
        best = np.argsort(-sums, kind="stable")[: self.genres]
        best = best[sums[best] > 0]
        return best, sums[best] / max(float(sums.sum()), 1e-9)


@kernel
def _voted(rows: Rows, sizes: NDArray[np.int64], shares: Doubles) -> tuple[Rows, Floats]:
    """Each row once, with the votes of the heads that have it: a genre's share, less by rank."""
    votes, at = np.empty(len(rows)), 0
    for genre in range(len(sizes)):
        for rank in range(sizes[genre]):
            votes[at] = shares[genre] * (1.0 / np.sqrt(rank + 2.0))
            at += 1
    return summed(rows, votes)


@kernel
def _sums(codes: NDArray[np.int16], fade: float) -> Doubles:
    """By category: what the items that have it count, the newest 1, the next `fade`."""
    sums = np.zeros(max(0, codes.max()) + 1 if codes.size else 0)
    for back in range(len(codes)):
        for code in codes[back]:
            if code >= 0:
                sums[code] += fade**back
    return sums

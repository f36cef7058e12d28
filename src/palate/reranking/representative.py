"""The few items that tell most of a taste: each stands for many others, and no two for the same."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats
from palate.funnel.types import Query, Slate
from palate.jit import kernel
from palate.models.covisit import Covisit
from palate.stores import Stores

NEIGHBOURS = 200
"""Items taken in beside one that are asked for."""


@dataclass(frozen=True, slots=True)
class Representative:
    """Fills the page with the items that cover most of the others, greedily.

    An item covers another as far as the same people take in both (the cosine of co-visitation, so
    that what everybody takes in covers nobody's taste in particular), or as both are described
    alike. The page is a facility-location set (Nemhauser, Wolsey and Fisher 1978: greedy is within
    1 - 1/e of the best): each further item adds what it covers better than those before it.
    """

    counts: Covisit
    described: float = 0.5
    """What a likeness of the descriptions counts against one of the people."""

    @property
    def reads(self) -> tuple[str, ...]:
        return ("content",)

    @property
    def required(self) -> bool:
        return False

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.covisit)

    def apply(self, query: Query, slate: Slate) -> Slate:
        page = min(query.size, len(slate))
        if page < 2:  # noqa: PLR2004  one item stands for all
            return slate
        low = float(slate.scores.min())
        span = float(slate.scores.max()) - low
        known = (slate.scores - low) / (span or 1.0) + np.float32(0.1)
        return slate.take(_covering(self._near(slate), known.astype(np.float32), page))

    def _near(self, slate: Slate) -> Floats:
        """(n, n): how well each covers each, 0 to 1."""
        place = {row: at for at, row in enumerate(slate.rows.tolist())}
        near = np.zeros((len(slate), len(slate)), np.float32)
        for at, row in enumerate(slate.rows.tolist()):
            rows, shares = self.counts.neighbours(row, NEIGHBOURS)
            for other, share in zip(rows.tolist(), shares.tolist(), strict=True):
                if other in place:
                    near[at, place[other]] = share
        near = np.sqrt(near * near.T)
        highest = float(near.max())
        if highest > 0:
            near /= np.float32(highest)
        content = slate.columns["content"]
        near = np.maximum(near, np.float32(self.described) * np.maximum(content @ content.T, 0.0))
        np.fill_diagonal(near, 1.0)
        return np.asarray(near, np.float32)


@kernel
def _covering(near: Floats, known: Floats, page: int) -> NDArray[np.int64]:
    """The order: `page` items chosen greedily, then the rest as they were."""
    n = len(known)
    covered = np.zeros(n, np.float32)
    placed = np.zeros(n, np.bool_)
    order = np.empty(n, np.int64)
    for step in range(page):
        best, most = -1, np.float32(-1.0)
        for i in range(n):
            if placed[i]:
                continue
            gain = np.float32(0.0)
            for j in range(n):
                gain += known[j] * max(near[i, j] - covered[j], np.float32(0.0))
            gain *= known[i]
            if gain > most:
                best, most = i, gain
        order[step], placed[best] = best, True
        for j in range(n):
            covered[j] = max(covered[j], near[best, j])
    order[page:] = np.flatnonzero(~placed)
    return order

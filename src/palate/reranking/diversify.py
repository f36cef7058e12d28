"""Neighbours on a page should not all be alike."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats
from palate.funnel.types import Query, Slate
from palate.jit import kernel, swift
from palate.stores import Stores

CATEGORY_DIM = 32
"""Width of the hashed categories beside the content vector."""

LEAST = 1e-4
"""Residual volume of an item that adds nothing."""


@dataclass(frozen=True, slots=True)
class Diversify:
    """Fills the page one by one, weighing an item's score against what it adds to the last few.

    Greedy inference of a determinantal point process in a sliding window (Chen et al. 2018, eq. 10,
    arXiv:1709.05135): an item adds the volume of its vector that is left beside those of the
    window. Scores are measured in units of the distance between the page's best and worst, so
    `strength` means the same whatever the ranker's scale.
    """

    strength: float = 0.1
    """How much a loss of volume by the factor e weighs against score."""
    window: int = 10
    """How many items above an entry it is compared with."""
    category_share: float = 0.3
    """Part of the likeness that comes from categories, or from the first code of the content where
    an item has none; the rest comes from content."""
    id: str = ""
    """Of the operator's rule that it does; "" where it is the surface's own."""

    @property
    def reads(self) -> tuple[str, ...]:
        return ("content", "categories", "code")

    @property
    def required(self) -> bool:
        return False

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls()

    def apply(self, query: Query, slate: Slate) -> Slate:
        page = min(query.size, len(slate))
        if page < 2 or self.strength == 0.0:  # noqa: PLR2004  a single item is as diverse as can be
            return slate
        held = slate.columns
        named, share = (held["categories"], held["code"]), np.float32(self.category_share)
        vectors, merit = _vectors(held["content"], named, share), _merit(slate.scores, page)
        return slate.take(_greedy(merit, vectors, page, self.window, np.float32(self.strength)))


@kernel
def _merit(scores: Floats, page: int) -> Floats:
    """Scores in units of the page's spread, from the best down.

    So that scores that are all alike do not drown what an item adds.
    """
    best = scores.max()
    spread = np.float32(max(np.float64(best - scores[page - 1]), 1e-9))
    merit: Floats = (scores - best) / spread
    return merit


@swift
def _dot(one: Floats, other: Floats) -> np.float32:
    total = np.float32(0.0)
    for i in range(len(one)):
        total += one[i] * other[i]
    return total


@kernel
def _vectors(
    content: Floats, codes: tuple[NDArray[np.int16], NDArray[np.int16]], share: np.float32
) -> Floats:
    """Unit vectors: content beside hashed categories, each weighed by its share.

    Of `codes` the second says what an item is about that has no category.
    """
    categories, about = codes
    n, width = content.shape
    out = np.zeros((n, width + CATEGORY_DIM), np.float32)
    rest = np.sqrt(np.float32(1.0) - share)
    for i in range(n):
        for j in range(width):
            out[i, j] = content[i, j] * rest
        named = 0
        for code in categories[i]:
            named += code >= 0
        for code in categories[i]:
            if code >= 0:
                out[i, width + code % CATEGORY_DIM] += np.sqrt(share / named)
        if named == 0 and about[i] >= 0:
            out[i, width + about[i] % CATEGORY_DIM] += np.sqrt(share)
        norm = np.sqrt(_dot(out[i], out[i]))
        if norm > 0:
            out[i] /= norm
    return out


@kernel
def _greedy(
    merit: Floats, vectors: Floats, page: int, window: int, strength: np.float32
) -> NDArray[np.int64]:
    """The order: `page` items chosen greedily, then the rest as they were.

    Lazy: merit falls along the slate and an item can add at most its whole volume (log 0), so the
    search for the next item ends where merit alone cannot beat the best found.
    """
    n = len(merit)
    order = np.empty(n, np.int64)
    placed = np.zeros(n, np.bool_)
    for step in range(page):
        span = _span(vectors, order[max(0, step - window) : step])
        best, highest = -1, np.float32(-np.inf)
        for i in range(n):
            if placed[i]:
                continue
            if best >= 0 and merit[i] <= highest:
                break
            value = merit[i] + strength * np.log(_residual(vectors[i], span))
            if best < 0 or value > highest:
                best, highest = i, value
        order[step], placed[best] = best, True
    order[page:] = np.flatnonzero(~placed)
    return order


@swift
def _span(vectors: Floats, chosen: NDArray[np.int64]) -> Floats:
    """An orthonormal set that spans the chosen vectors (modified Gram-Schmidt)."""
    width = vectors.shape[1]
    span = np.empty((len(chosen), width), np.float32)
    for k in range(len(chosen)):
        for i in range(width):
            span[k, i] = vectors[chosen[k], i]
        for j in range(k):
            along = _dot(span[j], span[k])
            for i in range(width):
                span[k, i] -= along * span[j, i]
        norm = np.sqrt(_dot(span[k], span[k]))
        scale = np.float32(1.0) / norm if norm > LEAST else np.float32(0.0)
        for i in range(width):
            span[k, i] *= scale
    return span


@swift
def _residual(vector: Floats, span: Floats) -> np.float32:
    """How much of a unit vector's squared length lies outside the span."""
    left = np.float32(1.0)
    for k in range(len(span)):
        along = _dot(span[k], vector)
        left -= along * along
    return max(left, np.float32(LEAST))

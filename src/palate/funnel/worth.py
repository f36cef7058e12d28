"""What a generator's rank is worth: one formula for fusion, for the ladder and for reasons."""

from collections.abc import Mapping

import numpy as np

from palate.arrays import Floats
from palate.funnel.types import Pool

PATIENCE = 10
"""How slowly a rank loses worth: the entry at rank r counts 1 / (PATIENCE + r)."""

SENSIBLE: Mapping[str, float] = {
    "two_tower": 1.2,
    "covisit": 1.0,
    "linear": 0.5,
    "ials": 0.5,
    "popular": 0.5,
    "popular_in_segment": 0.4,
    "popular_in_region": 0.2,
    "popular_in_genre": 0.3,
    "followed": 0.3,
    "content": 0.3,
    "trending": 0.3,
    "fresh": 0.1,
    "anything": 0.0,
}
"""Before any training: what people did together first, then what everyone does."""

UNNAMED = 0.3
"""Weight of a generator that `credit` does not name, where it names others."""


def worth(pool: Pool, credit: Mapping[str, float]) -> Floats:
    """(n, generators): weight / (PATIENCE + rank), 0 where the generator did not find the item.

    Reciprocal rank fusion (Cormack, Clarke, Büttcher 2009) with weights. Without `credit` every
    generator weighs 1.
    """
    unnamed = UNNAMED if credit else 1.0
    weights = np.array([credit.get(name, unnamed) for name in pool.generators], np.float32)
    found: Floats = np.where(pool.ranks > 0, weights / (PATIENCE + pool.ranks), np.float32(0))
    return found.astype(np.float32, copy=False)

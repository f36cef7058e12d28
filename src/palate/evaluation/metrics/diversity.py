"""How different the items of one list are from each other."""

import numpy as np

from palate.arrays import Doubles
from palate.evaluation.slates import NOBODY, Slates

NAME = "diversity"


def measure(slates: Slates, k: int) -> Doubles:
    """Intra-list diversity: 1 - mean cosine of the content vectors over all pairs of the first `k`.

    A list of fewer than two items has none (0).
    """
    return np.array([_spread(row[row != NOBODY], slates) for row in slates.rows[:, :k]], float)


def _spread(rows: np.ndarray[tuple[int], np.dtype[np.int32]], slates: Slates) -> float:
    if len(rows) < 2:  # noqa: PLR2004  a pair
        return 0.0
    vectors = slates.world.content[rows].astype(float)
    alike = (vectors.sum(0) ** 2).sum() - (vectors**2).sum()  # all pairs, both ways
    return float(1 - alike / (len(rows) * (len(rows) - 1)))

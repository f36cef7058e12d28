"""How far one has to read until the first right item."""

import numpy as np

from palate.arrays import Doubles
from palate.evaluation.slates import Slates

NAME = "mrr"


def measure(slates: Slates, k: int) -> Doubles:
    """1 / rank of the first hit among the first `k`; 0 where there is none."""
    hits = slates.hits[:, :k]
    ranks = 1.0 / np.arange(1, hits.shape[1] + 1)
    first: Doubles = (hits * ranks).max(1, initial=0.0)
    return first

"""Precision at each right item, averaged over everything that was relevant."""

import numpy as np

from palate.arrays import Doubles
from palate.evaluation.slates import Slates

NAME = "map"


def measure(slates: Slates, k: int) -> Doubles:
    """Sum of the precision at the rank of each hit among the first `k`, divided by |relevant|."""
    return precision_sums(slates, k) / slates.relevant


def precision_sums(slates: Slates, k: int) -> Doubles:
    """(users,): the sum that both forms of average precision divide."""
    hits = slates.hits[:, :k]
    sums: Doubles = (hits * hits.cumsum(1) / np.arange(1, hits.shape[1] + 1)).sum(1)
    return sums

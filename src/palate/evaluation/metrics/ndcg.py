"""How high up the right items stand."""

import numpy as np

from palate.arrays import Doubles
from palate.evaluation.slates import Slates

NAME = "ndcg"


def measure(slates: Slates, k: int) -> Doubles:
    """Sum of 1/log2(rank + 1) over the hits, divided by the best possible sum.

    The best possible list has min(relevant, k) hits at its top (Järvelin and Kekäläinen 2002, with
    binary gains and the discount that starts at rank 1).
    """
    hits = slates.hits[:, :k]
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discount)[np.minimum(slates.relevant, k) - 1]
    gained: Doubles = hits @ discount[: hits.shape[1]] / ideal
    return gained

"""Which share of the catalogue anybody gets to see."""

import numpy as np

from palate.arrays import Doubles
from palate.evaluation.slates import Slates

NAME = "coverage"


def measure(slates: Slates, k: int) -> Doubles:
    """(1,): distinct items among all first `k`, divided by the number of candidates."""
    return np.array([len(np.unique(slates.top(k))) / max(slates.world.candidates, 1)])

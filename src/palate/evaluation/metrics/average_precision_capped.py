"""Average precision for short lists: a perfect list of k scores 1 however much was relevant."""

import numpy as np

from palate.arrays import Doubles
from palate.evaluation.metrics.average_precision import precision_sums
from palate.evaluation.slates import Slates

NAME = "map_capped"


def measure(slates: Slates, k: int) -> Doubles:
    """As `map`, divided by min(|relevant|, k): what some tools call MAP."""
    return precision_sums(slates, k) / np.minimum(slates.relevant, k)

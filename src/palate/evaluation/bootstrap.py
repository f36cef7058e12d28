"""How sure a mean over users is: the percentile bootstrap."""

import numpy as np

from palate.arrays import Doubles

RESAMPLES = 1_000
LEVEL = 0.95


def interval(values: Doubles, seed: int) -> tuple[float, float]:
    """Give the 95 % interval of the mean of `values`, one per user, by resampling the users.

    Pass the difference of two models' values for the same users to get a paired comparison.
    """
    dice = np.random.Generator(np.random.PCG64(seed))
    means = [values[dice.integers(0, len(values), len(values))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)

"""How little known the recommended items are."""

import numpy as np

from palate.arrays import Doubles
from palate.evaluation.slates import Slates

NAME = "novelty"


def measure(slates: Slates, k: int) -> Doubles:
    """Mean self-information of the first `k` in bits: -log2 of the share of users who took it.

    (Zhou et al. 2010.) Counts start at one, so that an item nobody took is finite.
    """
    world = slates.world
    return slates.mean_of(-np.log2((world.takers + 1) / (world.users + 1)), k)

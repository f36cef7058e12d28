"""How well known the recommended items are."""

from palate.arrays import Doubles
from palate.evaluation.slates import Slates

NAME = "popularity"


def measure(slates: Slates, k: int) -> Doubles:
    """Mean number of users who took the items of the first `k` before."""
    return slates.mean_of(slates.world.takers, k)

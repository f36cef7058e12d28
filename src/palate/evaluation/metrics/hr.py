"""How many users found anything at all."""

from palate.arrays import Doubles
from palate.evaluation.slates import Slates

NAME = "hr"


def measure(slates: Slates, k: int) -> Doubles:
    """1 where one of the first `k` was right (hit rate), else 0."""
    found: Doubles = slates.hits[:, :k].any(1).astype(float)
    return found

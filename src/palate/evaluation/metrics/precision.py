"""Which share of the list was right."""

from palate.arrays import Doubles
from palate.evaluation.slates import Slates

NAME = "precision"


def measure(slates: Slates, k: int) -> Doubles:
    """Hits among the first `k`, divided by `k` also where the list is shorter."""
    found: Doubles = slates.hits[:, :k].sum(1) / float(k)
    return found

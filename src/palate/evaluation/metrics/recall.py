"""Which share of what the user took was in the list."""

from palate.arrays import Doubles
from palate.evaluation.slates import Slates

NAME = "recall"


def measure(slates: Slates, k: int) -> Doubles:
    """Hits among the first `k`, divided by how many items are relevant."""
    found: Doubles = slates.hits[:, :k].sum(1) / slates.relevant.astype(float)
    return found

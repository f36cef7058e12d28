"""How unevenly the places in the lists are spread over the catalogue."""

import numpy as np

from palate.arrays import Doubles
from palate.evaluation.slates import Slates

NAME = "gini"


def measure(slates: Slates, k: int) -> Doubles:
    """(1,): Gini index of how often each candidate stands among the first `k`.

    0: every item equally often; towards 1: a few items take all places. Items that nobody was
    shown count.
    """
    shown = np.sort(np.unique(slates.top(k), return_counts=True)[1])
    items = max(slates.world.candidates, len(shown))
    if not len(shown):
        return np.zeros(1)
    place = np.arange(items - len(shown) + 1, items + 1)
    return np.array([((2 * place - items - 1) * shown).sum() / (items * shown.sum())])

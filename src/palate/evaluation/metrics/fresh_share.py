"""Which share of a list is new."""

import numpy as np

from palate.arrays import Doubles
from palate.evaluation.slates import NOBODY, Slates

NAME = "fresh"
DAYS = 7


def measure(slates: Slates, k: int) -> Doubles:
    """Share of the first `k` that is at most seven days old; an item of unknown age is not."""
    age = slates.world.now - slates.world.born
    new = (age <= DAYS * 86_400.0) & ~np.isnan(age)
    head = slates.rows[:, :k]
    shown = head != NOBODY
    share: Doubles = (new[head] & shown).sum(1) / np.maximum(shown.sum(1), 1)
    return share

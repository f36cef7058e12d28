"""Features on one scale: each value becomes the place it has among those of the training rows.

Rank-Gauss: the share of training values below it, read off a normal distribution. Counts, scores
and ages of any unit come out alike, what lies beyond the values that were seen is cut to them, and
a feature that is mostly missing has its missing value in one place of its own.
"""

from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from palate.arrays import Floats
from palate.jit import swift
from palate.models.tables import write_table

KNOTS = 16
"""Points of a feature's curve; straight lines between them."""

TINY = 1e-30
"""Values nearer than this are one."""


class Gauss(NamedTuple):
    """Curves of all features."""

    places: Floats
    """(features, KNOTS): values, rising; the last is repeated where there are fewer."""
    values: Floats
    """(features, KNOTS): what they become."""

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read what `save` wrote; None where there is nothing."""
        files = [folder / f"{name}.npy" for name in cls._fields]
        return cls(*map(np.load, files)) if files[0].is_file() else None

    def save(self, folder: Path) -> None:
        """Write the curves into `folder`."""
        write_table(folder, self)

    def __call__(self, features: Floats) -> Floats:
        """(n, features) on the common scale."""
        out = np.empty_like(features)
        _spread(features, self, out)
        return out


@swift
def _spread(features: Floats, curves: Gauss, out: Floats) -> None:
    places, values = curves
    column = np.empty(features.shape[0], np.float32)
    low = np.empty(features.shape[0], np.int32)
    slopes = np.zeros(KNOTS, np.float32)
    for f in range(features.shape[1]):
        for k in range(KNOTS - 1):
            run = places[f, k + 1] - places[f, k]
            slopes[k] = (values[f, k + 1] - values[f, k]) / run if run > TINY else np.float32(0.0)
        for i in range(len(column)):
            column[i] = min(max(features[i, f], places[f, 0]), places[f, KNOTS - 1])
            low[i] = 0
        for k in range(1, KNOTS):
            place = places[f, k]
            for i in range(len(column)):
                low[i] += np.int32(place <= column[i])
        for i in range(len(column)):
            at = low[i]
            out[i, f] = values[f, at] + (column[i] - places[f, at]) * slopes[at]

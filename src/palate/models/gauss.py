"""Features on one scale: each value becomes the place it has among those of the training rows.

Rank-Gauss: the share of training values below it, read off a normal distribution. Counts, scores
and ages of any unit come out alike, what lies beyond the values that were seen is cut to them, and
a feature that is mostly missing has its missing value in one place of its own.
"""

from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from palate.arrays import Floats
from palate.jit import kernel

KNOTS = 16
"""Points of a feature's curve; straight lines between them."""


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
        for name, array in self._asdict().items():
            np.save(folder / f"{name}.npy", array)

    def __call__(self, features: Floats) -> Floats:
        """(n, features) on the common scale."""
        out = np.empty_like(features)
        _spread(features, self.places, self.values, out)
        return out


@kernel
def _spread(features: Floats, places: Floats, values: Floats, out: Floats) -> None:
    for i in range(features.shape[0]):
        for f in range(features.shape[1]):
            x, low = features[i, f], 0
            step = KNOTS >> 1
            while step:
                if places[f, low + step] <= x:
                    low += step
                step >>= 1
            high = min(low + 1, KNOTS - 1)
            left, right = places[f, low], places[f, high]
            share = np.float32(0.0)
            if right > left:
                share = min(max((x - left) / (right - left), np.float32(0.0)), np.float32(1.0))
            out[i, f] = values[f, low] + share * (values[f, high] - values[f, low])

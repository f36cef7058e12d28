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

ZERO = np.float32(0.0)
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
    """A curve is its first value and a ramp per stretch: no branch, all features side by side."""
    width = features.shape[1]
    starts, runs, slopes = _ramps(curves)
    for i in range(len(features)):
        for f in range(width):
            out[i, f] = curves.values[f, 0]
        for k in range(KNOTS - 1):
            for f in range(width):
                along = features[i, f] - starts[k, f]
                # max() and min() would ask for NaN, which keeps the loop off the vector unit
                along = along if along > ZERO else ZERO  # noqa: FURB136
                along = along if along < runs[k, f] else runs[k, f]  # noqa: FURB136
                out[i, f] += slopes[k, f] * along


@swift
def _ramps(curves: Gauss) -> tuple[Floats, Floats, Floats]:
    """(KNOTS - 1, features): where each stretch begins, how long it is, how steep."""
    places, values = curves
    shape = (KNOTS - 1, len(places))
    starts, runs, slopes = (
        np.empty(shape, np.float32),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
    )
    for f in range(len(places)):
        for k in range(KNOTS - 1):
            run = places[f, k + 1] - places[f, k]
            starts[k, f] = places[f, k]
            if run > TINY:
                runs[k, f], slopes[k, f] = run, (values[f, k + 1] - values[f, k]) / run
    return starts, runs, slopes

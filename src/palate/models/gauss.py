"""Features on one scale: each value becomes the place it has among those of the training rows.

Rank-Gauss: the share of training values below it, read off a normal distribution. Counts, scores
and ages of any unit come out alike, what lies beyond the values that were seen is cut to them, and
a feature that is mostly missing has its missing value in one place of its own.
"""

from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, by_column
from palate.jit import swift
from palate.tables import write_table

KNOTS = 16
"""Points of a feature's curve; straight lines between them."""

TOGETHER = 4_096
"""Rows that are turned into columns at once, where they are not laid so already."""
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
        return self.ramps()(features)

    def ramps(self) -> "Ramps":
        """The same curves, ready to be applied often."""
        lengths, rises = np.diff(self.places, axis=1), np.diff(self.values, axis=1)
        steep = lengths > TINY
        ramps = np.zeros((len(self.places), KNOTS - 1, 3), np.float32)
        ramps[..., 0] = self.places[:, :-1]
        ramps[..., 1] = np.where(steep, lengths, ZERO)
        ramps[..., 2] = np.divide(rises, lengths, out=np.zeros_like(rises), where=steep)
        return Ramps(np.concatenate([self.values[:, :1], ramps.reshape(len(ramps), -1)], axis=1))


class Ramps(NamedTuple):
    """Curves as a first value and a ramp per stretch: no branch, many rows side by side."""

    curves: Floats
    """(features, 1 + 3 · (KNOTS - 1)): the first value, then of each stretch where it begins, how
    long it is and how steep."""

    def __call__(self, features: Floats) -> Floats:
        """(n, features) on the common scale."""
        out, every = np.empty(features.shape, np.float32), np.arange(len(self.curves))
        for at in range(0, len(features), TOGETHER):
            some = slice(at, at + TOGETHER)
            _spread(by_column(features[some]), every, self.curves, out[some])
        return out

    def some(self, columns: Floats, which: NDArray[np.intp], rows: int) -> Floats:
        """(rows, which): of a table (features, n), the first rows of these columns."""
        out = np.empty((rows, len(which)), np.float32)
        _spread(columns, which, self.curves, out)
        return out


@swift
def _spread(columns: Floats, which: NDArray[np.intp], curves: Floats, out: Floats) -> None:
    """A column at a time, so that what is added up stays in the processor's registers."""
    rows = len(out)
    heights = np.empty(rows, np.float32)
    for at in range(len(which)):
        f = which[at]
        for i in range(rows):
            height = curves[f, 0]
            for k in range(KNOTS - 1):
                along = columns[f, i] - curves[f, 1 + 3 * k]
                # max() and min() ask for NaN, which keeps this off the vector unit
                along = along if along > ZERO else ZERO  # noqa: FURB136
                run = curves[f, 2 + 3 * k]
                along = along if along < run else run  # noqa: FURB136
                height += curves[f, 3 + 3 * k] * along
            heights[i] = height
        for i in range(rows):
            out[i, at] = heights[i]


@swift
def alike(columns: Floats, which: NDArray[np.intp]) -> bool:
    """Whether each of these columns holds one number throughout, as the visitor's do."""
    for at in range(len(which)):
        f, apart = which[at], ZERO
        for i in range(columns.shape[1]):
            apart += abs(columns[f, i] - columns[f, 0])
        if apart != ZERO:  # nor if it is no number
            return False
    return True

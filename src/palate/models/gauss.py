"""Features on one scale: each value becomes the place it has among those of the training rows.

Rank-Gauss: the share of training values below it, read off a normal distribution. Counts, scores
and ages of any unit come out alike, what lies beyond the values that were seen is cut to them, and
a feature that is mostly missing has its missing value in one place of its own.
"""

from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from palate.arrays import Floats
from palate.jit import kernel, swift
from palate.tables import write_table

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
        return self.ramps()(features)

    def ramps(self) -> "Ramps":
        """The same curves, ready to be applied often."""
        shape = (KNOTS - 1, len(self.places))
        runs, slopes = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        lengths, rises = np.diff(self.places, axis=1).T, np.diff(self.values, axis=1).T
        steep = lengths > TINY
        runs[steep] = lengths[steep]
        slopes[steep] = rises[steep] / lengths[steep]
        starts = np.ascontiguousarray(self.places[:, :-1].T)
        return Ramps(self.values[:, 0].copy(), starts, runs, slopes)


class Ramps(NamedTuple):
    """A curve as its first value and a ramp per stretch: no branch, all features side by side."""

    first: Floats
    """(features,)."""
    starts: Floats
    """(KNOTS - 1, features): where each stretch begins."""
    runs: Floats
    """How long it is."""
    slopes: Floats
    """How steep."""

    def __call__(self, features: Floats) -> Floats:
        """(n, features) on the common scale."""
        out = np.empty_like(features)
        _spread(features, self, out)
        return out


@swift
def _spread(features: Floats, ramps: Ramps, out: Floats) -> None:
    """What the first columns say of the visitor is the same in all rows, and worked out once."""
    alike = _alike(features)
    for i in range(min(1, len(features))):
        _climb(features[i], ramps.first, (ramps.starts, ramps.runs, ramps.slopes), out[i])
    # arrays of its own cannot overlap with `out`, which the vector unit has to know
    rest = (
        ramps.starts[:, alike:].copy(),
        ramps.runs[:, alike:].copy(),
        ramps.slopes[:, alike:].copy(),
    )
    for i in range(1, len(features)):
        out[i, :alike] = out[0, :alike]
        _climb(features[i, alike:], ramps.first[alike:], rest, out[i, alike:])


@swift
def _climb(row: Floats, first: Floats, ramps: tuple[Floats, Floats, Floats], out: Floats) -> None:
    starts, runs, slopes = ramps
    for f in range(len(row)):
        out[f] = first[f]
    for k in range(KNOTS - 1):
        for f in range(len(row)):
            along = row[f] - starts[k, f]
            # max() and min() would ask for NaN, which keeps the loop off the vector unit
            along = along if along > ZERO else ZERO  # noqa: FURB136
            along = along if along < runs[k, f] else runs[k, f]  # noqa: FURB136
            out[f] += slopes[k, f] * along


@kernel
def _alike(features: Floats) -> int:
    """How many columns, from the left, hold one number."""
    alike: int = features.shape[1]
    for i in range(1, len(features)):
        for f in range(alike):
            if features[i, f] != features[0, f]:
                alike = f
                break
    return alike

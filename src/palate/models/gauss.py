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
from palate.tables import write_table

KNOTS = 16
"""Points of a feature's curve; straight lines between them."""

LANES = 16
"""Features that are worked out side by side: what a vector register of 512 bits holds."""
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
        width = len(self.places)
        lengths, rises = np.diff(self.places, axis=1), np.diff(self.values, axis=1)
        steep = lengths > TINY
        ramps = np.zeros((width + -width % LANES, KNOTS - 1, 3), np.float32)
        ramps[:width, :, 0] = self.places[:, :-1]
        ramps[:width, :, 1] = np.where(steep, lengths, ZERO)
        ramps[:width, :, 2] = np.divide(rises, lengths, out=np.zeros_like(rises), where=steep)
        first = np.zeros(len(ramps), np.float32)
        first[:width] = self.values[:, 0]
        blocks = np.concatenate([first[:, None], ramps.reshape(len(ramps), -1)], axis=1)
        lanes = blocks.reshape(-1, LANES, blocks.shape[1]).transpose(0, 2, 1)
        return Ramps(np.ascontiguousarray(lanes), width)


class Ramps(NamedTuple):
    """Curves as a first value and a ramp per stretch: no branch, `LANES` features side by side."""

    blocks: Floats
    """(features / LANES, 1 + 3 · (KNOTS - 1), LANES): the first value, then of each stretch where
    it begins, how long it is and how steep."""
    width: int
    """Features."""

    def __call__(self, features: Floats) -> Floats:
        """(n, features) on the common scale."""
        out = np.empty_like(features)
        _spread(features, self.blocks, out)
        return out


@swift
def _spread(features: Floats, blocks: Floats, out: Floats) -> None:
    """A block of columns at a time, so that what is added up stays in the processor's registers.

    In one piece: of a loop in a function of its own the compiler does not know that no index is
    negative, and it takes six times as long.
    """
    rows, width = features.shape
    for b in range(len(blocks)):
        at = b * LANES
        once = 1 if at + LANES <= width and _alike(features, at) else rows
        if at + LANES <= width:
            for i in range(once):
                for lane in range(LANES):
                    value, height = features[i, at + lane], blocks[b, 0, lane]
                    for k in range(KNOTS - 1):
                        along = value - blocks[b, 1 + 3 * k, lane]
                        # max() and min() ask for NaN, which keeps this off the vector unit
                        along = along if along > ZERO else ZERO  # noqa: FURB136
                        run = blocks[b, 2 + 3 * k, lane]
                        along = along if along < run else run  # noqa: FURB136
                        height += blocks[b, 3 + 3 * k, lane] * along
                    out[i, at + lane] = height
        else:
            _spread_rest(features, blocks, out)
        for i in range(once, rows):
            for lane in range(LANES):
                out[i, at + lane] = out[0, at + lane]


@swift
def _spread_rest(features: Floats, blocks: Floats, out: Floats) -> None:
    """The columns that fill no block, one number at a time."""
    rows, width = features.shape
    last = len(blocks) - 1
    for i in range(rows):
        for lane in range(width - last * LANES):
            height = blocks[last, 0, lane]
            for k in range(KNOTS - 1):
                along = max(features[i, last * LANES + lane] - blocks[last, 1 + 3 * k, lane], ZERO)
                height += blocks[last, 3 + 3 * k, lane] * min(along, blocks[last, 2 + 3 * k, lane])
            out[i, last * LANES + lane] = height


@swift
def _alike(features: Floats, at: int) -> bool:
    """Whether a block of columns holds the same numbers in every row, as the visitor's do."""
    for i in range(1, len(features)):
        apart = ZERO
        for lane in range(LANES):
            apart += abs(features[i, at + lane] - features[0, at + lane])
        if apart > ZERO:
            return False
    return True

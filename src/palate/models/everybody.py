"""What everybody would be shown counts a little less: pages become more people's own.

The value v of an item for a visitor becomes v · (m / m̄)^-power, where m is the mean probability of
a click over all visitors and m̄ its geometric mean over items (pointwise mutual information, damped;
Bouma 2009). The power is chosen in training as large as hits allow.
"""

from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from palate.arrays import Floats, Rows

FILE = "everybody.npy"


class Everybody(NamedTuple):
    """A factor by row."""

    factors: Floats
    """(rows,); rows beyond, and those that nobody was offered, have 1."""

    @classmethod
    def of(cls, rows: Rows, clicks: Floats, power: float) -> Self:
        """Count what was expected of every candidate on every list, end to end."""
        total = np.bincount(rows, clicks) if len(rows) else np.zeros(0)
        offered = total > 0
        factors = np.ones(len(total), np.float32)
        told = np.log(total[offered])
        factors[offered] = np.exp(-power * (told - told.mean())) if len(told) else 1.0
        return cls(factors)

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Map what `save` wrote; None where nothing was. Raises OSError or ValueError."""
        file = folder / FILE
        return cls(np.asarray(np.load(file, mmap_mode="r"))) if file.is_file() else None

    def save(self, folder: Path) -> None:
        """Write one file into `folder`."""
        np.save(folder / FILE, self.factors)

    def __call__(self, rows: Rows, values: Floats) -> Floats:
        """(n,): the values of these rows; what brings nothing stays as it is."""
        if not len(self.factors):
            return values
        known = rows < len(self.factors)
        factors = np.where(known, self.factors[np.where(known, rows, 0)], np.float32(1.0))
        return np.where(values > 0, values * factors, values)

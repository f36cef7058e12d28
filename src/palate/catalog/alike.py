"""Which items are described most like each item: a few of each, found when a release was made."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats


class Alike(NamedTuple):
    """The nearest content vectors of the items that a release knew."""

    rows: NDArray[np.int32]
    """(items, few): nearest first, -1 pads."""
    cosines: Floats
    """(items, few): above 0; 0 beside -1."""


UNKNOWN = Alike(np.empty((0, 0), np.int32), np.empty((0, 0), np.float32))
"""Of a site whose release did not look for any."""

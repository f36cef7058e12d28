"""Counters of items that say what a test wants."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from palate.features.folds import ITEM_SLOT
from palate.features.items import ItemStates


def tell(
    states: ItemStates,
    row: int,
    *,
    times: ArrayLike | None = None,
    segments: Sequence[float] | dict[int, float] = (),
    **counts: float,
) -> None:
    """Set some of an item's numbers, as they would be loaded; all others stay."""
    states.grow(row + 1)
    record = states.records(np.array([row], np.int32))
    for name, value in counts.items():
        record["counts"][0, ITEM_SLOT[name]] = value
    if times is not None:
        record["times"][0] = times
    told = segments if isinstance(segments, dict) else dict(enumerate(segments))
    for column, value in told.items():
        record["segments"][0, column] = value
    states.load(row, record.tobytes())

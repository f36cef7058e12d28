"""The counting baselines that every model has to beat, counted here and not by the funnel."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Mask
from palate.evaluation.split import Split
from palate.events.batch import EventBatch

WEEK = 7 * 86_400.0
NAMES = ("popularity", "popularity_7d")


def counted(
    batch: EventBatch, cut: Split, servable: NDArray[np.uint8] | Mask
) -> Mapping[str, Doubles]:
    """Scores by item row, the same for everybody: how many people took each item in training.

    `popularity` of all time, and `popularity_7d` of the last seven days before the split; -inf for
    what is not `servable` (rows,).
    """
    item, time = batch.item[cut.counted], batch.time[cut.counted]
    recent = item[time >= cut.moment - WEEK]
    rows, both = len(servable), {"popularity": item, "popularity_7d": recent}
    return {
        name: np.where(servable, np.bincount(each, minlength=rows), -np.inf)
        for name, each in both.items()
    }

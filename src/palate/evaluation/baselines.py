"""The counting baselines that every model has to beat, counted here and not by the funnel."""

from collections.abc import Mapping

import numpy as np

from palate.arrays import Doubles
from palate.evaluation.split import Split
from palate.events.batch import EventBatch

WEEK = 7 * 86_400.0


def counted(batch: EventBatch, cut: Split, rows: int) -> Mapping[str, Doubles]:
    """Scores by item row, the same for everybody: how many people took each item in training.

    `popularity` of all time, and `popularity_7d` of the last seven days before the split.
    """
    item, time = batch.item[cut.counted], batch.time[cut.counted]
    recent = item[time >= cut.moment - WEEK]
    return {
        "popularity": np.bincount(item, minlength=rows).astype(np.float64),
        "popularity_7d": np.bincount(recent, minlength=rows).astype(np.float64),
    }

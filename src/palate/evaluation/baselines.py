"""The counting baselines that every model has to beat, counted here and not by the funnel."""

from collections.abc import Mapping

import numpy as np

from palate.arrays import Doubles
from palate.evaluation.split import Split
from palate.events.batch import EventBatch
from palate.events.kinds import Signal

WEEK = 7 * 86_400.0


def counted(batch: EventBatch, cut: Split, rows: int) -> Mapping[str, Doubles]:
    """Scores by item row, the same for everybody: how often each was taken in training.

    `popularity` of all time, and `popularity_7d` of the last seven days before the split.
    """
    engaged = ((batch.signal & Signal.ENGAGED) > 0) & (batch.item >= 0) & cut.train
    recent = engaged & (batch.time >= cut.moment - WEEK)
    return {
        "popularity": _counts(batch, engaged, rows),
        "popularity_7d": _counts(batch, recent, rows),
    }


def _counts(
    batch: EventBatch, which: np.ndarray[tuple[int], np.dtype[np.bool_]], rows: int
) -> Doubles:
    return np.bincount(batch.item[which], minlength=rows).astype(np.float64)

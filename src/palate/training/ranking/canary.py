"""The canary in the mine: rows that know their own future end the training.

A feature that alone tells what somebody will take from what they will not is no feature but a
leak: a count that holds the labelled event, a date from the future, a join on the wrong day.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from palate.arrays import Doubles, Floats
from palate.errors import GateRefused
from palate.training.ranking.lists import RankedList

TOO_GOOD = 0.99
"""AUC within lists, of one feature alone, that nothing honest reaches (the best here: .8)."""
FEWEST = 50
"""Lists with hits and misses below which the AUC may be luck."""
MOST = 200
"""Lists looked at."""


def watch(lists: Sequence[RankedList], features: Sequence[str]) -> None:
    """Raise GateRefused naming the first feature that tells hits from misses all by itself."""
    mixed = [each for each in lists if 0 < _hits(each).sum() < len(each.kept)]
    if len(mixed) < FEWEST:
        return
    told = np.mean([_auc(each) for each in mixed[:: max(1, len(mixed) // MOST)]], axis=0)
    for name, auc in zip(features, told.tolist(), strict=True):
        if max(auc, 1.0 - auc) > TOO_GOOD:
            raise GateRefused(
                f"the feature {name!r} alone tells what will be taken from what will not"
                f" (AUC {max(auc, 1.0 - auc):.3f}): it knows the future. Nothing was released;"
                " look at what it counts, and at which time"
            )


def _hits(each: RankedList) -> NDArray[np.bool_]:
    return np.asarray(each.labels[each.kept, 0] > 0)


def _auc(each: RankedList) -> Doubles:
    """(features,): the chance that a hit's value is above a miss's; ties count half."""
    hits = _hits(each)
    n = int(hits.sum())
    ranks: Floats = rankdata(each.features, axis=0)
    auc: Doubles = (ranks[hits].sum(axis=0) - n * (n + 1) / 2) / (n * (len(hits) - n))
    return auc

"""What each feature is worth to a ranker: how much worse it orders when the feature is shuffled."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from palate.arrays import Floats
from palate.features.measured import Measured, missing
from palate.models.ranker import HEADS
from palate.ranking.value import weights_of
from palate.settings import Settings
from palate.training.ranking.folds import Learnt, raw_of
from palate.training.ranking.lists import RankedList, ndcg, thinned

LISTS, ITEMS = 50, 30
"""How many moments are ordered anew for each feature, and candidates of each: two seconds for
all of them together. Many moments of few candidates tell more than the reverse."""


def measure(
    learnt: Learnt, lists: Sequence[RankedList], features: tuple[str, ...], settings: Settings
) -> Mapping[str, Measured]:
    """Share of missing, and permutation importance (Breiman 2001) in NDCG@10, by feature.

    `lists` came after everything that was learnt from. A feature is shuffled among all candidates
    of all of them; a negative number is chance.
    """
    right = [each for each in lists if each.labels[each.kept].any()]
    if not right:
        return {}
    dice = np.random.Generator(np.random.PCG64(settings.training.seed))
    spread = np.unique(np.linspace(0, len(right) - 1, LISTS).astype(int))
    small = [_cut(thinned(right[at], ITEMS, dice)) for at in spread.tolist()]
    value = weights_of(settings.ranking.value, HEADS)
    rows = np.concatenate([each.features for each in small])
    whole, told = _reached(learnt, small, rows, value), missing(features, rows)
    found = {}
    for at, name in enumerate(features):
        lost, shuffled = 0.0, dice.permutation(rows[:, at])
        if (shuffled != shuffled[0]).any():
            changed = rows.copy()
            changed[:, at] = shuffled
            lost = whole - _reached(learnt, small, changed, value)
        found[name] = Measured(missing=told[name], importance=round(lost, 6))
    return found


def _cut(each: RankedList) -> RankedList:
    """The list as if nothing but its kept rows had been proposed."""
    kept = each.kept
    return replace(
        each,
        rows=each.rows[kept],
        ranks=each.ranks[kept],
        labels=each.labels[kept],
        kept=np.arange(len(kept)),
        place=None if each.place is None else each.place[kept],
    )


def _reached(learnt: Learnt, lists: Sequence[RankedList], rows: Floats, value: Floats) -> float:
    """NDCG@10 of these lists with their features in `rows`, end to end."""
    ends = np.cumsum([len(each.kept) for each in lists])[:-1]
    told = [
        replace(each, features=part) for each, part in zip(lists, np.split(rows, ends), strict=True)
    ]
    return float(ndcg(lists, raw_of(learnt, told) @ value).mean())

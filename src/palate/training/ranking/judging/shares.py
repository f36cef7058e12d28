"""How loudly fusion is heard beside the ranker: for each kind of visit as loudly as hits want."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from palate.arrays import Doubles, Floats, Keys, Mask
from palate.models.visits import VISITS, Visit
from palate.ranking.value import FAINT, shared
from palate.training.gate import level, paired
from palate.training.ranking.folds import Answer, Fold, Kind
from palate.training.ranking.fusion import fusion_scores
from palate.training.ranking.lists import ndcg

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
PEOPLE = 20
"""Of a kind of visit; with fewer nobody can tell, and the ranker orders alone."""


class Shares(NamedTuple):
    """What was chosen, and the folds as they look with it."""

    by_visit: Mapping[Visit, float]
    """Fusion's share; 0 where the ranker orders alone."""
    height: float
    """Brings fusion's worth to the height of the ranker's values."""
    folds: Sequence[Fold]
    numbers: Mapping[str, float]
    """NDCG@10 of fusion, of the ranker alone, and of both as chosen, by kind of visit."""


NOBODY: Mapping[Visit, float] = MappingProxyType({})


def shares(
    folds: Sequence[Fold],
    kind: Kind,
    names: tuple[str, ...],
    seed: int,
    asked: Mask | None = None,
) -> Shares:
    """Choose on lists that nobody had learnt from: fusion is heard where that surely finds more.

    All of them choose, or only those `asked` (lists,).
    """
    fused = [fusion_scores(fold.judge, names, fold.fusion) for fold in folds]
    values = [fold.answers[kind].served for fold in folds]
    height = _height(np.concatenate(values), np.concatenate(fused))
    tried = {
        share: np.concatenate(
            [
                ndcg(fold.judge, shared(own, worth, share, height))
                for fold, own, worth in zip(folds, values, fused, strict=True)
            ]
        )
        for share in SHARES
    }
    visits = np.array([each.visit for fold in folds for each in fold.judge])
    users = np.concatenate([fold.users for fold in folds])
    choose = np.ones(len(users), bool) if asked is None else asked
    chosen = {visit: _best(tried, users, choose & (visits == visit), seed) for visit in VISITS}
    numbers: dict[str, float] = {}
    for visit, share in chosen.items():
        which = visits == visit
        told = {"ranker": 0.0, "fusion": 1.0, "both": share} if which.any() else {}
        for name, each in told.items():
            numbers[f"{visit}/{name}"] = level(tried[each][which], users[which])
        numbers |= {f"{visit}/share": share} if told else {}
    turned = [
        _turned(fold, kind, worth, chosen, height) for fold, worth in zip(folds, fused, strict=True)
    ]
    return Shares(chosen, height, turned, numbers)


def _height(values: Floats, worth: Floats) -> float:
    """The mean distance of their logarithms."""
    some = values > 0
    if not some.any():
        return 0.0
    return float(np.log(values[some]).mean() - np.log(worth[some] + FAINT).mean())


def _best(tried: Mapping[float, Doubles], users: Keys, which: Mask, seed: int) -> float:
    """The best of the shares that are surely better than the ranker alone; else 0."""
    who = users[which]
    if len(np.unique(who)) < PEOPLE:
        return 0.0
    own = tried[0.0][which]
    better = [s for s in SHARES[1:] if paired(tried[s][which], own, who, seed).sure]
    return max(better, key=lambda share: level(tried[share][which], who), default=0.0)


def _turned(
    fold: Fold, kind: Kind, worth: Floats, chosen: Mapping[Visit, float], height: float
) -> Fold:
    answer, ends = fold.answers[kind], np.cumsum([0, *(len(each.rows) for each in fold.judge)])
    served = [
        shared(answer.served[first:last], worth[first:last], chosen[each.visit], height)
        for each, first, last in zip(fold.judge, ends, ends[1:], strict=False)
    ]
    ordered = np.concatenate(served)
    made: Answer = answer._replace(served=ordered, ndcg=ndcg(fold.judge, ordered))
    return replace(fold, answers={**fold.answers, kind: made})

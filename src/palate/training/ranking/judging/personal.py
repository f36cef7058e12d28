"""How much less what everybody would be shown may count: as much as costs next to no hits.

Newcomers' pages stay as they are: next to nothing is known of them but what everybody takes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from palate.arrays import Doubles, Floats, Mask, Rows
from palate.models.everybody import Everybody
from palate.models.visits import NEWCOMER
from palate.training.gate import level
from palate.training.ranking.folds import Answer, Fold, Kind
from palate.training.ranking.lists import RankedList, ndcg

POWERS = (0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05)


class Personal(NamedTuple):
    """The chosen power, and the folds as they look with it."""

    power: float
    everybody: Everybody | None
    """None with power 0."""
    folds: Sequence[Fold]


def personal(folds: Sequence[Fold], kind: Kind, cost: float, asked: Mask | None = None) -> Personal:
    """The largest power that costs no more than this share of NDCG@10; none where it may be 0.

    On lists that nobody had learnt from, of people of whom something is known; all of them, or
    only those `asked` (lists,).
    """
    users = np.concatenate([fold.users for fold in folds])
    known = np.array([each.visit != NEWCOMER for fold in folds for each in fold.judge])
    known &= True if asked is None else asked
    plain = np.concatenate([fold.answers[kind].ndcg for fold in folds])
    if not known.any():
        return Personal(0.0, None, folds)
    for power in POWERS if cost > 0 else ():
        turned = [_turned(fold, kind, power) for fold in folds]
        gained = np.concatenate([gains for _, gains in turned])
        reached = level(gained[known], users[known])
        if reached >= (1.0 - cost) * level(plain[known], users[known]):
            made = [
                _with(fold, kind, fold.answers[kind]._replace(served=served, ndcg=gains))
                for fold, (served, gains) in zip(folds, turned, strict=True)
            ]
            return Personal(power, _counted(folds, kind, power), made)
    return Personal(0.0, None, folds)


def _with(fold: Fold, kind: Kind, answer: Answer) -> Fold:
    return replace(fold, answers={**fold.answers, kind: answer})


def _turned(fold: Fold, kind: Kind, power: float) -> tuple[Floats, Doubles]:
    plain = fold.answers[kind].served
    turned = _counted([fold], kind, power)(_rows(fold.judge), plain)
    served = np.where(_known(fold.judge), turned, plain)
    return served, ndcg(fold.judge, served)


def _counted(folds: Sequence[Fold], kind: Kind, power: float) -> Everybody:
    """From what was expected, never from what was taken."""
    rows = np.concatenate([_rows(fold.judge) for fold in folds])
    clicks = np.concatenate([fold.answers[kind].predicted[:, 0] for fold in folds])
    return Everybody.of(rows, clicks, power)


def _known(lists: Sequence[RankedList]) -> Mask:
    """(entries,): True on the lists of those of whom something is known, end to end."""
    return np.repeat([each.visit != NEWCOMER for each in lists], [len(each.rows) for each in lists])


def _rows(lists: Sequence[RankedList]) -> Rows:
    rows: Rows = np.concatenate([each.rows for each in lists])
    return rows

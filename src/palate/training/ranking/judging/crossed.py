"""What tunes a ranker is chosen on some people's lists and judged on those of the others.

The best of several settings looks better on the lists that chose it than it is. So a fifth of the
people at a time is judged with what the other four fifths would have chosen; what ships is what
all of them choose.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.training.gate import level
from palate.training.ranking.folds import Answer, Fold, Kind
from palate.training.ranking.judging.personal import Personal, personal
from palate.training.ranking.judging.shares import Shares, shares

PARTS = 5


class Tuned(NamedTuple):
    """What was chosen, and how good a ranker is that is tuned so."""

    own: Personal
    heard: Shares
    """Its folds look as what ships will."""
    judged: Sequence[Fold]
    """The folds where everybody's lists are ordered by what the others chose."""

    @property
    def any(self) -> bool:
        """Whether anything is other than it was before."""
        return self.own.everybody is not None or any(self.heard.by_visit.values())


def tuned(
    folds: Sequence[Fold], kind: Kind, names: tuple[str, ...], cost: float, seed: int
) -> Tuned:
    """Choose how much what everybody is shown may count, and how loudly fusion is heard."""
    own = personal(folds, kind, cost)
    heard = shares(own.folds, kind, names, seed)
    found = Tuned(own, heard, folds)
    if not found.any:
        return found
    users = np.concatenate([fold.users for fold in folds])
    part = np.unique(users, return_inverse=True)[1] % PARTS
    made = []
    for number in range(PARTS):
        asked = part != number
        theirs = personal(folds, kind, cost, asked)
        made.append(shares(theirs.folds, kind, names, seed, asked).folds)
    cuts = np.cumsum([len(fold.judge) for fold in folds])[:-1]
    each = zip(*made, np.split(part, cuts), strict=True)
    judged = [_composed(kind, variants, own) for *variants, own in each]
    numbers = dict(heard.numbers) | _reached(judged, kind, heard)
    return Tuned(own, heard._replace(numbers=numbers), judged)


def _composed(kind: Kind, variants: Sequence[Fold], part: NDArray[np.intp]) -> Fold:
    """Of each list the variant that belongs to its person's part."""
    fold = variants[0]
    sizes = [len(each.rows) for each in fold.judge]
    served = np.stack([each.answers[kind].served for each in variants])
    reached = np.stack([each.answers[kind].ndcg for each in variants])
    entries = np.repeat(part, sizes)
    answer: Answer = fold.answers[kind]._replace(
        served=served[entries, np.arange(len(entries))],
        ndcg=reached[part, np.arange(len(part))],
    )
    return replace(fold, answers={**fold.answers, kind: answer})


def _reached(judged: Sequence[Fold], kind: Kind, heard: Shares) -> dict[str, float]:
    """What ranker and fusion reach together, by kind of visit."""
    users = np.concatenate([fold.users for fold in judged])
    visits = np.array([each.visit for fold in judged for each in fold.judge])
    values = np.concatenate([fold.answers[kind].ndcg for fold in judged])
    return {
        f"{visit}/both": level(values[visits == visit], users[visits == visit])
        for visit in heard.by_visit
        if (visits == visit).any()
    }

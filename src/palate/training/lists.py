"""Ranked lists to learn from and to be judged by: one per replayed moment."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Rows
from palate.jit import kernel

DEPTH = 10


@dataclass(frozen=True, slots=True, eq=False)
class RankedList:
    """One moment of one user: the pool the generators gave, and what the user then took."""

    user: int
    """Key."""
    now: float
    rows: Rows
    """(pool,)."""
    ranks: NDArray[np.int16]
    """(pool, generators), 0 where not found."""
    labels: Floats
    """(pool, heads): 1 where it came true within the next engagements; unseen counts as 0."""
    relevant: int
    """How many items the user took, found by a generator or not."""
    kept: NDArray[np.intp]
    """Places of the pool that have features: all positives and a sample of the others."""
    features: Floats
    """(kept, features)."""
    weight: float
    """How many items of the pool each kept one that is not positive stands for."""


@kernel
def _gains(scores: Floats, gains: Floats, starts: NDArray[np.int64], ideal: Doubles) -> Doubles:
    out = np.zeros(len(starts) - 1)
    for q in range(len(starts) - 1):
        first, last = starts[q], starts[q + 1]
        for at in range(first, last):
            if gains[at] <= 0:
                continue
            above = 0
            for other in range(first, last):
                if scores[other] > scores[at] or (scores[other] == scores[at] and other < at):
                    above += 1
            if above < DEPTH:
                out[q] += gains[at] / np.log2(above + 2.0)
        out[q] /= ideal[q]
    return out


PLAIN = np.array([1.0], np.float32)
"""Whatever was taken counts 1."""


def ndcg(lists: Sequence[RankedList], scores: Floats, value: Floats = PLAIN) -> Doubles:
    """NDCG@10 of each list; `scores` are those of all pools end to end.

    `value` weighs the first heads: what was taken gains the sum over its labels, at least 0. What
    no generator found would have gained what a mere click does.
    """
    starts = np.cumsum([0, *(len(each.rows) for each in lists)]).astype(np.int64)
    labels = np.concatenate([each.labels[:, : len(value)] for each in lists])
    gains = np.maximum(labels @ value, 0.0).astype(np.float32)
    ideal = np.array(
        [
            _ideal(gains[first:last], each.relevant, max(float(value[0]), 0.0))
            for each, first, last in zip(lists, starts[:-1], starts[1:], strict=True)
        ]
    )
    return _gains(scores.astype(np.float32), gains, starts, ideal)


def _ideal(gains: Floats, relevant: int, unfound: float) -> float:
    """What the best order of everything that was taken would have gained; 1 where nothing was."""
    found = gains[gains > 0]
    missed = np.full(max(relevant - len(found), 0), unfound)
    best = np.sort(np.concatenate([found, missed]))[::-1][:DEPTH]
    return float((best / np.log2(np.arange(len(best)) + 2.0)).sum()) or 1.0

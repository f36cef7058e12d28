"""Ranked lists to learn from and to be judged by: one per replayed moment."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Mask, Rows
from palate.jit import kernel
from palate.models.visits import Visit, visit_of

DEPTH = 10
GAINS = 1.0 / np.log2(np.arange(DEPTH) + 2.0)
"""What a hit at each place is worth in NDCG@10."""
IDEAL = np.append(1.0, np.cumsum(GAINS))
"""What the best order gains, by the number of relevant items; 1 where there is none."""


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
    known: float = inf
    """Acts of the user at that moment: fusion leans by them."""
    idle: float = inf
    """Seconds since the user's last act."""
    history: Rows = field(default_factory=lambda: np.empty(0, np.int32))
    """What the user did last, oldest first."""
    outcomes: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """How each of these went, see `two_tower.outcome_codes`."""
    position: int = 0
    """Of the log, at which all of this was not yet known."""
    place: NDArray[np.int16] | None = None
    """(pool,): where each item stood, of what was really shown; None of what is reconstructed."""
    came: NDArray[np.int64] | None = None
    """(pool,): the log position at which each label was told; None where nobody wrote it down."""
    told: bool = False
    """What was taken first had been shown, and is learnt from there."""
    surface: str = ""
    """Where it was shown; "" of what is reconstructed."""

    @property
    def visit(self) -> Visit:
        """What kind of visit it was."""
        return visit_of(self.known, self.idle)

    @property
    def unanswered(self) -> bool:
        """A page that was shown, and from which nothing was taken: calibrated on, not learnt."""
        return self.place is not None and not self.labels[:, 0].any()

    def as_known(self, position: int) -> "RankedList":
        """The list as it was before that log position: what was told later is not learnt from."""
        if self.came is None:
            return self
        late = (self.came >= position) & self.labels.any(axis=1)
        if not late.any():
            return self
        early = ~late[self.kept]
        return replace(
            self,
            labels=np.where(late[:, None], np.float32(0.0), self.labels),
            relevant=max(self.relevant - int(self.labels[late, 0].sum()), 0),
            kept=self.kept[early],
            features=self.features[early],
        )


def room_for_others(most: int, taken: int) -> int:
    """How many candidates that were not taken are kept beside the `taken`: half of `most` at least.

    Who takes a lot would otherwise leave a list without anything to be told from.
    """
    return max(most - taken, most // 2)


def thinned(each: RankedList, most: int, dice: np.random.Generator) -> RankedList:
    """Some `most` kept rows: everything taken, and a sample of the others with its weight."""
    if len(each.kept) <= most:
        return each
    taken = each.labels[each.kept].any(axis=1)
    others = np.flatnonzero(~taken)
    room = room_for_others(most, int(taken.sum()))
    if len(others) <= room:
        return each
    drawn = dice.choice(others, room, replace=False)
    chosen = np.sort(np.concatenate([np.flatnonzero(taken), drawn]))
    weight = each.weight * len(others) / room
    return replace(each, kept=each.kept[chosen], features=each.features[chosen], weight=weight)


@kernel
def _gains(scores: Floats, hits: Floats, starts: NDArray[np.int64], ideal: Doubles) -> Doubles:
    """Each list is gone through once, its best so far kept in order; equals by place."""
    out = np.zeros(len(starts) - 1)
    best, place_of = np.empty(DEPTH, np.float32), np.empty(DEPTH, np.int64)
    for q in range(len(starts) - 1):
        count = 0
        for at in range(starts[q], starts[q + 1]):
            own = scores[at]
            if count == DEPTH and own <= best[DEPTH - 1]:
                continue
            count = min(count + 1, DEPTH)
            place = count - 1
            while place > 0 and best[place - 1] < own:
                best[place], place_of[place] = best[place - 1], place_of[place - 1]
                place -= 1
            best[place], place_of[place] = own, at
        for place in range(count):
            if hits[place_of[place]] > 0:
                out[q] += GAINS[place]
        out[q] /= ideal[q]
    return out


class Hits(NamedTuple):
    """What was taken of some lists' pools, end to end: to judge many orders of the same ones."""

    labels: Floats
    """(entries,): above 0 where it was taken."""
    starts: NDArray[np.int64]
    ideal: Doubles
    """(lists,): gain of the best order."""

    @classmethod
    def of(cls, lists: Sequence[RankedList]) -> Self:
        """Whatever was taken counts 1."""
        starts = np.cumsum([0, *(len(each.rows) for each in lists)]).astype(np.int64)
        labels = np.concatenate([each.labels[:, 0] for each in lists])
        return cls(labels, starts, IDEAL[[min(each.relevant, DEPTH) for each in lists]])

    def ndcg(self, scores: Floats) -> Doubles:
        """NDCG@10 of each list, ordered by the `scores` of its entries."""
        return _gains(scores.astype(np.float32, copy=False), self.labels, self.starts, self.ideal)


def ndcg(lists: Sequence[RankedList], scores: Floats, given: Mask | None = None) -> Doubles:
    """NDCG@10 of each list, whatever was taken counting 1; `scores` are of all pools end to end.

    Where not everything in a pool was `given`, the rest stands behind and hits nothing.
    """
    hits = Hits.of(lists)
    if given is not None:
        hits = hits._replace(labels=np.where(given, hits.labels, np.float32(0.0)))
    return hits.ndcg(scores)


def firsts(lists: Sequence[RankedList], scores: Floats) -> list[Rows]:
    """The ten rows that each list would show first."""
    ends = np.cumsum([0, *(len(each.rows) for each in lists)])
    return [
        each.rows[np.argsort(-scores[start:end], kind="stable")[:DEPTH]]
        for each, start, end in zip(lists, ends, ends[1:], strict=False)
    ]

"""Recommended lists beside what their users really took: the input of every metric."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Mask, Rows, Times

NOBODY = -1
"""Pads the lists of users who were given less than others."""


@dataclass(frozen=True, slots=True)
class World:
    """What the metrics know of the items, all of it as of the end of the training events."""

    candidates: int
    """How many items could have been recommended at all."""
    users: int
    """How many people the training events know."""
    takers: Doubles
    """(rows,): how many of them took the item."""
    content: Floats
    """(rows, dim): content vectors of unit length, zero where unknown."""
    born: Times
    """(rows,): when the item was published, else first taken; NaN where unknown."""
    now: float


@dataclass(frozen=True, slots=True)
class Slates:
    """One list per user, judged."""

    rows: Rows
    """(users, depth), best first; `NOBODY` pads."""
    hits: Mask
    """(users, depth): True where the user took the item later."""
    relevant: NDArray[np.int64]
    """(users,): how many items the user took later, found or not; at least 1."""
    world: World

    @classmethod
    def judge(cls, lists: Sequence[Rows], relevant: Sequence[Rows], world: World) -> Self:
        """Lay lists of any length side by side and mark what was right."""
        depth = max((len(rows) for rows in lists), default=0)
        rows = np.full((len(lists), depth), NOBODY, np.int32)
        hits = np.zeros(rows.shape, np.bool_)
        for user, (shown, right) in enumerate(zip(lists, relevant, strict=True)):
            rows[user, : len(shown)] = shown
            hits[user, : len(shown)] = np.isin(shown, right)
        return cls(rows, hits, np.array([len(right) for right in relevant], np.int64), world)

    def take(self, which: Mask) -> "Slates":
        """Keep the lists of some of the users."""
        return Slates(self.rows[which], self.hits[which], self.relevant[which], self.world)

    def top(self, k: int) -> Rows:
        """Everything within the first `k` positions, as one flat array."""
        head = self.rows[:, :k]
        flat: Rows = head[head != NOBODY]
        return flat

    def mean_of(self, values: Doubles, k: int) -> Doubles:
        """(users,): the mean of `values` (one per item row) over each list's first `k`.

        Rows whose value is NaN are left out; a list without any value counts 0.
        """
        head = self.rows[:, :k]
        each = np.where(head == NOBODY, np.nan, values[head])
        known = ~np.isnan(each)
        total: Doubles = np.where(known, each, 0.0).sum(1) / np.maximum(known.sum(1), 1)
        return total

    def __len__(self) -> int:
        return len(self.rows)

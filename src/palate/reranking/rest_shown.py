"""What somebody was shown again and again and never touched makes room for something else."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from palate.arrays import Rows
from palate.funnel.types import Query, Slate
from palate.jit import kernel
from palate.stores import Stores

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class RestShown:
    """Weighs an item's score down with every showing that nothing came of.

    Counted are the visitor's last showings (a record keeps 96) within so many days; an item that
    they did anything with is never tired of here. A learnt ranker reads how often an item was
    shown, but only where pages were logged long enough to learn from.
    """

    keeps: float = 0.85
    """What of its lead over the slate's last an item keeps after each showing."""
    days: float = 7.0
    """A showing is forgotten after so long."""
    free: int = 1
    """Showings that cost nothing."""

    @property
    def reads(self) -> tuple[str, ...]:
        return ()

    @property
    def required(self) -> bool:
        return False

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls()

    def apply(self, query: Query, slate: Slate) -> Slate:
        user = query.user
        lately = user.shown[user.shown_times > query.now - self.days * DAY]
        if not len(slate) or not len(lately) or self.keeps >= 1.0:
            return slate
        times = _times(slate.rows, lately, user.seen) - self.free
        if times.max() <= 0:
            return slate
        low = float(slate.scores.min())
        kept = np.power(np.float32(self.keeps), np.maximum(times, 0), dtype=np.float32)
        return slate.scored(low + (slate.scores - np.float32(low)) * kept)


@kernel
def _times(rows: Rows, shown: Rows, seen: Rows) -> Rows:
    """(n,): how often each was shown; 0 for what anything was done with."""
    found = np.zeros(len(rows), np.int32)
    for i in range(len(rows)):
        for row in shown:
            found[i] += row == rows[i]
        if found[i] > 0:
            for row in seen:
                if row == rows[i]:
                    found[i] = 0
                    break
    return found

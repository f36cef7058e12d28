"""Nobody is shown again what they already had."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Mask, Rows
from palate.events.kinds import Signal
from palate.funnel.types import Columns, Query
from palate.index.slots import outside
from palate.jit import kernel
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class HideSeen:
    """Hides what the visitor consumed, judged or sent away.

    What was only shown or clicked stays: a click is an interest, not a consumption. Each surface
    says with `signals` what counts as seen.
    """

    signals: int = int(Signal.TAKEN)
    """Bits of `Signal`, any of which hides an item."""
    shown: bool = False
    """Whether the last 96 items that were shown to the visitor count too."""
    id: str = ""
    """Of the operator's rule that it does; "" where it is the surface's own."""

    @property
    def reads(self) -> tuple[str, ...]:
        return ()

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls()

    def keep(self, query: Query, rows: Rows, columns: Columns) -> Mask:
        user = query.user
        kept = _unseen(rows, user.seen, user.seen_signals, np.uint32(self.signals))
        return kept & outside(rows, user.shown) if self.shown else kept

    def excludes(self, query: Query) -> Rows:
        counts = (query.user.seen_signals & np.uint32(self.signals)) != 0
        taken = np.asarray(query.user.seen[counts], np.int32)
        return np.concatenate([taken, query.user.shown]) if self.shown else taken


@kernel
def _unseen(rows: Rows, seen: Rows, seen_signals: NDArray[np.uint32], signals: np.uint32) -> Mask:
    """One pass over what was seen (up to thousands), with the rows in an open-addressing table."""
    size = 16
    while size < 4 * len(rows):
        size *= 2
    table = np.full(size, -1, np.int64)
    for i in range(len(rows)):
        at = np.int64(rows[i]) & (size - 1)
        while table[at] >= 0:
            at = (at + 1) & (size - 1)
        table[at] = i
    keep = np.ones(len(rows), np.bool_)
    for j in range(len(seen)):
        if seen_signals[j] & signals == 0:
            continue
        at = np.int64(seen[j]) & (size - 1)
        while table[at] >= 0:
            if rows[table[at]] == seen[j]:
                keep[table[at]] = False
            at = (at + 1) & (size - 1)
    return keep

"""What a visitor had already comes back after a while."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from palate.arrays import Mask, Rows
from palate.events.kinds import Signal
from palate.features.record import HISTORY
from palate.funnel.types import NOTHING, Columns, Query
from palate.index.slots import outside
from palate.stores import Stores

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class HideSeenFor:
    """Hides what the visitor took in within so many days, and for good what they turned down.

    A record keeps the times of the last 200 acts. What was taken in before them counts as taken in
    at the time of the oldest, so that nothing comes back too early.
    """

    days: float
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
        return cls(days=3.0)

    def keep(self, query: Query, rows: Rows, columns: Columns) -> Mask:
        return outside(rows, self.excludes(query))

    def excludes(self, query: Query) -> Rows:
        user, bits = query.user, query.user.seen_signals
        taken = user.seen[(bits & np.uint32(self.signals)) != 0]
        turned_down = user.seen[(bits & np.uint32(Signal.NEGATIVE)) != 0]
        since = query.now - self.days * DAY
        full = len(user.history) == HISTORY
        unsure = full and user.times.min() > since
        took = (user.signals & np.uint8(self.signals)) != 0
        lately = user.history[took & (user.times > since)]
        recent = taken if unsure else taken[np.isin(taken, lately)]
        shown = user.shown[user.shown_times > since] if self.shown else NOTHING
        return np.unique(np.concatenate([recent, turned_down, shown])).astype(np.int32)

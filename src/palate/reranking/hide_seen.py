"""Nobody is shown again what they already had."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from palate.arrays import Mask, Rows
from palate.events.kinds import Signal
from palate.funnel.types import Columns, Query
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class HideSeen:
    """Hides what the visitor consumed, judged or sent away.

    What was only shown or clicked stays: a click is an interest, not a consumption. Each surface
    says with `signals` what counts as seen.
    """

    signals: int = int(Signal.TAKEN)
    """Bits of `Signal`, any of which hides an item."""

    @property
    def reads(self) -> tuple[str, ...]:
        return ()

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls()

    def keep(self, query: Query, rows: Rows, columns: Columns) -> Mask:
        return ~np.isin(rows, self.excludes(query))

    def excludes(self, query: Query) -> Rows:
        counts = (query.user.seen_signals & np.uint32(self.signals)) != 0
        return np.asarray(query.user.seen[counts], np.int32)

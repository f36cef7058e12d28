"""Nobody is shown a creator whom they have sent away."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from palate.arrays import Mask, Rows
from palate.funnel.types import NOTHING, Columns, Query
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class HideMuted:
    """Hides all items of the creators that the visitor hid (a `hide` that names the creator)."""

    @property
    def reads(self) -> tuple[str, ...]:
        return ("creator",)

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls()

    def keep(self, query: Query, rows: Rows, columns: Columns) -> Mask:
        if not len(query.muted):
            return np.ones(len(rows), np.bool_)
        return np.asarray(~np.isin(columns["creator"], query.muted))

    def excludes(self, query: Query) -> Rows:
        return NOTHING

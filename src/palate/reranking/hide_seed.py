"""An item is not like itself."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from palate.arrays import Mask, Rows
from palate.funnel.types import NOTHING, Columns, Query
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class HideSeed:
    """Hides the item that the slate is about."""

    @property
    def reads(self) -> tuple[str, ...]:
        return ()

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls()

    def keep(self, query: Query, rows: Rows, columns: Columns) -> Mask:
        return np.asarray(rows != query.seed_item)

    def excludes(self, query: Query) -> Rows:
        return np.array([query.seed_item], np.int32) if query.seed_item >= 0 else NOTHING

"""What the visitor began and did not end."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from palate.arrays import Rows
from palate.catalog.columns import ItemColumns
from palate.events.kinds import Kind
from palate.features.record import UserState
from palate.funnel.types import Candidates, Query, Reason
from palate.stores import Stores

HISTORY = 200


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Items whose newest view tells that part of them was watched, the newest first."""

    columns: ItemColumns
    begun: float = 0.02
    """Fraction from which an item counts as begun …"""
    done: float = 0.9
    """… and from which it counts as ended."""

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.columns)

    async def generate(self, query: Query, limit: int) -> Candidates:
        rows = begun(query.user, self.begun, self.done)
        rows = rows[self.columns.read(rows, ["servable"])["servable"] != 0]
        rows = rows[query.allows(rows)][:limit]
        return Candidates(rows, np.linspace(1.0, 0.5, len(rows), dtype=np.float32))

    def explain(self, query: Query, row: int) -> Reason:
        return Reason("unfinished")


def begun(user: UserState, least: float, most: float) -> Rows:
    """Rows whose newest view told a fraction in [least, most), newest first.

    What was turned down since is not among them; a view without a fraction tells nothing.
    """
    views = np.flatnonzero(user.kinds == Kind.VIEW)[::-1]
    _, first = np.unique(user.history[views], return_index=True)
    newest = views[np.sort(first)]
    told = user.values[newest]
    rows = user.history[newest[(told >= least) & (told < most)]]
    return np.asarray(rows[np.isin(rows, user.engaged(HISTORY))], np.int32)

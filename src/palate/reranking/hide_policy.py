"""What may not be shown is not shown: hidden, expired, not yet published, by region, by age."""

from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Mask, Rows
from palate.catalog.columns import ItemColumns
from palate.funnel.types import Columns, Query
from palate.index.slots import outside
from palate.jit import kernel
from palate.stores import Stores

Held: TypeAlias = tuple[NDArray[Any], ...]
READS = ("servable", "published", "expires", "min_age", "regions")


@dataclass(frozen=True, slots=True)
class HidePolicy:
    """Applies what the catalogue says of an item, and errs on the side of not showing it.

    A visitor of unknown region sees only what is free everywhere; of unknown age, only what has no
    age limit. An item that the catalogue does not know is never shown.
    """

    catalogue: ItemColumns
    """Knows the codes of regions."""

    @property
    def reads(self) -> tuple[str, ...]:
        return READS

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.columns)

    def keep(self, query: Query, rows: Rows, columns: Columns) -> Mask:
        kept = lawful(self.catalogue, columns, query.region, query.age or 0, query.now)
        withdrawn = self.catalogue.withdrawn
        return kept & outside(rows, withdrawn) if len(withdrawn) else kept

    def excludes(self, query: Query) -> Rows:
        return self.catalogue.withdrawn

    def problem(self, query: Query, row: int) -> str:
        """What of the policy hides `row` from this visitor, in words; "" where nothing does."""
        rows = np.array([row], np.int32)
        columns = self.catalogue.read(rows, self.reads)
        told = {
            "the catalogue does not know it, or says hidden": columns["servable"][0] == 0,
            "the catalogue withdrew it a moment ago": row in self.catalogue.withdrawn,
            "it is published later": columns["published"][0] > query.now,
            "it has expired": columns["expires"][0] <= query.now,
            f"it is for {columns['min_age'][0]} and over": (
                columns["min_age"][0] > (query.age or 0)
            ),
            f"it is not for region {query.region or 'unknown'}": bool(
                columns["regions"].any()
                and not _in_region(self.catalogue, query.region, columns)[0]
            ),
        }
        return ", ".join(words for words, holds in told.items() if holds)


def lawful(catalogue: ItemColumns, columns: Columns, region: str, age: int, now: float) -> Mask:
    """Where the catalogue lets a visitor of this region and age see an item now."""
    code = catalogue.region_code(region) if region else -1
    held = tuple(columns[name] for name in READS)
    return _kept(held, code, age, now)


@kernel
def _kept(columns: Held, code: int, age: int, now: float) -> Mask:
    """All conditions of each item in one pass; `code` is the region's, -1 where unknown."""
    servable, published, expires, min_age, regions = columns
    word, bit = max(code, 0) // 64, np.uint64(max(code, 0) % 64)
    kept = np.empty(len(servable), np.bool_)
    for at in range(len(servable)):
        anywhere = np.uint64(0)
        for part in range(regions.shape[1]):
            anywhere |= regions[at, part]
        there = anywhere == 0
        if code >= 0:
            there = there or (regions[at, word] >> bit) & np.uint64(1) != 0
        dated = not published[at] > now and not expires[at] <= now
        kept[at] = servable[at] != 0 and dated and min_age[at] <= age and there
    return kept


def _in_region(catalogue: ItemColumns, region: str, columns: Columns) -> Mask:
    code = catalogue.region_code(region) if region else -1
    if code < 0:
        return np.zeros(len(columns["regions"]), np.bool_)
    word = columns["regions"][:, code // 64]
    return np.asarray((word >> np.uint64(code % 64)) & np.uint64(1) != 0)

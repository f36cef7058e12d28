"""What may not be shown is not shown: hidden, expired, not yet published, by region, by age."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from palate.arrays import Mask, Rows
from palate.catalog.columns import ItemColumns
from palate.funnel.types import NOTHING, Columns, Query
from palate.stores import Stores

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
        return lawful(self.catalogue, columns, query.region, query.age or 0, query.now)

    def excludes(self, query: Query) -> Rows:
        return NOTHING

    def problem(self, query: Query, row: int) -> str:
        """What of the policy hides `row` from this visitor, in words; "" where nothing does."""
        rows = np.array([row], np.int32)
        columns = self.catalogue.read(rows, self.reads)
        told = {
            "the catalogue does not know it, or says hidden": columns["servable"][0] == 0,
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
    free = ~columns["regions"].any(axis=1)
    return np.asarray(
        (columns["servable"] != 0)
        & ~(columns["published"] > now)
        & ~(columns["expires"] <= now)
        & (columns["min_age"] <= age)
        & (free | _in_region(catalogue, region, columns))
    )


def _in_region(catalogue: ItemColumns, region: str, columns: Columns) -> Mask:
    code = catalogue.region_code(region) if region else -1
    if code < 0:
        return np.zeros(len(columns["regions"]), np.bool_)
    word = columns["regions"][:, code // 64]
    return np.asarray((word >> np.uint64(code % 64)) & np.uint64(1) != 0)

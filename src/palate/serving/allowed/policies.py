"""What the catalogue lets a visitor see, told to the generators where it is much less than all.

`HidePolicy` has the last word on every item. But where most of a catalogue is barred (to a region,
to the young, by its dates), generators that know nothing of it propose what the filter then takes
away, and the page stays short. So they are told, by the way of a request's own filter.
"""

import asyncio
from typing import NamedTuple, TypeAlias

import numpy as np

from palate.catalog.columns import ItemColumns
from palate.expressions.mask import MINUTE
from palate.funnel.types import Matching
from palate.reranking.hide_policy import READS, lawful
from palate.serving.allowed.conditions import QUICK

KEPT = 16
MUCH = 0.1
"""Share of the servable items that has to be barred before generators are told."""

Key: TypeAlias = tuple[int, int, float, str, int]


class Limits(NamedTuple):
    """What the catalogue asks of its visitors, as of a moment."""

    ages: tuple[int, ...]
    """The age limits there are, rising."""
    regions: bool
    """Whether anything is for some regions only."""
    dated: bool
    """Whether anything is not yet or no longer shown."""


class Policies:
    """The policies of one worker's catalogue, each looked up once for many requests.

    Up to `QUICK` items they are looked up anew whenever the catalogue changes, beyond once a minute
    and in a thread: what came in between counts as allowed, and the filter decides.
    """

    def __init__(self, columns: ItemColumns) -> None:
        self._columns = columns
        self._limits: tuple[tuple[int, int, float], Limits] | None = None
        self._known: dict[Key, Matching | None] = {}

    async def matching(self, region: str, age: int | None, now: float) -> Matching | None:
        """What such a visitor may see; None where that is nearly everything."""
        columns, minute = self._columns, now // MINUTE * MINUTE
        small = columns.size <= QUICK
        moment = (columns.version if small else -1, columns.capacity, minute)
        if self._limits is None or self._limits[0] != moment:
            limits = self._look(minute) if small else await asyncio.to_thread(self._look, minute)
            self._limits = moment, limits
        limits = self._limits[1]
        if not (limits.ages or limits.regions or limits.dated):
            return None
        known = region if limits.regions and columns.region_code(region) >= 0 else ""
        old = max((limit for limit in limits.ages if limit <= (age or 0)), default=0)
        key = (*moment, known, old)
        if key not in self._known:
            asked = (known, old, minute)
            found = self._find(*asked) if small else await asyncio.to_thread(self._find, *asked)
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[key] = found
        return self._known[key]

    def _look(self, now: float) -> Limits:
        columns = self._columns
        size = columns.size
        ages = np.flatnonzero(np.bincount(columns.min_age[:size], minlength=1))
        dated = (columns.published[:size] > now) | (columns.expires[:size] <= now)
        return Limits(
            ages=tuple(int(age) for age in ages if age),
            regions=bool(columns.regions[:size].any()),
            dated=bool(dated.any()),
        )

    def _find(self, region: str, age: int, now: float) -> Matching | None:
        columns, size = self._columns, self._columns.size
        told = {name: getattr(columns, name)[:size] for name in READS}
        mask = np.zeros(columns.capacity, np.bool_)
        mask[size:] = columns.servable[size:] != 0 if size <= QUICK else True
        mask[:size] = lawful(columns, told, region, age, now)
        servable = int(np.count_nonzero(columns.servable[:size]))
        allowed = int(np.count_nonzero(mask[:size]))
        if servable - allowed <= MUCH * servable:
            return None
        return Matching.of(mask, size=size, asked=False)

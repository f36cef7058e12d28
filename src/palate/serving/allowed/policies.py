"""What the catalogue lets a visitor see, told to the generators where it is much less than all.

`HidePolicy` has the last word on every item. But where most of a catalogue is barred (to a region,
to the young, by its dates), generators that know nothing of it propose what the filter then takes
away, and the page stays short. So they are told, by the way of a request's own filter.
"""

from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np

from palate.catalog.columns import ItemColumns
from palate.expressions.mask import MINUTE
from palate.funnel.standing import QUICK, Standing
from palate.index.matching import Matching
from palate.reranking.hide_policy import READS, lawful

PATIENCE = 2 * MINUTE
"""An answer that is older is waited for; a younger one serves while it is found anew."""
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
    and in a thread, while the last minute's still serve: what came in between counts as allowed,
    and the filter decides.
    """

    def __init__(self, columns: ItemColumns, kept: int = 16) -> None:
        self._columns, self._kept = columns, kept
        self._limits: tuple[tuple[int, int, float], Limits] | None = None
        self._known: dict[Key, Matching | None] = {}
        self._looked, self._found = (
            Standing[Limits](1, PATIENCE),
            Standing[Matching | None](kept, PATIENCE),
        )

    @property
    def size(self) -> int:
        """Items of the catalogue."""
        return self._columns.size

    async def matching(self, region: str, age: int | None, now: float) -> Matching | None:
        """What such a visitor may see; None where that is nearly everything."""
        minute = now // MINUTE * MINUTE
        if self._columns.size <= QUICK:
            return self._quickly(region, age, minute)
        look = partial(self._look, minute)
        limits = await self._looked.of(self._columns.capacity, minute, now, look)
        asked = self._asked(limits, region, age)
        if asked is None:
            return None
        find = partial(self._find, *asked, minute)
        return await self._found.of((self._columns.capacity, *asked), minute, now, find)

    def _quickly(self, region: str, age: int | None, minute: float) -> Matching | None:
        moment = (self._columns.version, self._columns.capacity, minute)
        if self._limits is None or self._limits[0] != moment:
            self._limits = moment, self._look(minute)
        asked = self._asked(self._limits[1], region, age)
        if asked is None:
            return None
        key = (*moment, *asked)
        if key not in self._known:
            if len(self._known) >= self._kept:
                self._known.clear()
            self._known[key] = self._find(*asked, minute)
        return self._known[key]

    def _asked(self, limits: Limits, region: str, age: int | None) -> tuple[str, int] | None:
        """What of a visitor decides; None where the catalogue asks nothing of anybody."""
        if not (limits.ages or limits.regions or limits.dated):
            return None
        known = region if limits.regions and self._columns.region_code(region) >= 0 else ""
        return known, max((limit for limit in limits.ages if limit <= (age or 0)), default=0)

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

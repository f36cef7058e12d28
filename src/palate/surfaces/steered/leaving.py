"""What operators' blocks and restrictions leave of the catalogue, told to the generators.

The filters have the last word on every item. But where much is hidden, generators that know nothing
of it propose what the filters then take away, and the page stays short.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

import numpy as np

from palate.catalog.columns import ItemColumns
from palate.expressions.mask import MINUTE
from palate.expressions.tree import VISITOR, Now, fields, parts
from palate.funnel.standing import Standing
from palate.funnel.types import Query
from palate.index.matching import Matching
from palate.reranking.editorial.block import Block
from palate.reranking.editorial.restrict import Restrict
from palate.reranking.editorial.where import Where

QUICK = 100_000
"""Up to so many items are looked through on the event loop, anew whenever the catalogue changes;
beyond, once a minute and in a thread, while the last minute's answer serves."""
KEPT = 16
MUCH = 0.1
"""Share of the servable items that has to be hidden before generators are told."""
Hides: TypeAlias = Block | Restrict


@dataclass(frozen=True)
class Leaves:
    """What is left for a request under these rules; each answer serves many requests."""

    hides: tuple[Hides, ...]
    columns: ItemColumns
    _known: dict[Hashable, Matching | None] = field(default_factory=dict, repr=False)
    _found: Standing[Matching | None] = field(
        default_factory=lambda: Standing(KEPT, 2 * MINUTE), repr=False
    )

    async def __call__(self, query: Query) -> Matching | None:
        """None where that is nearly everything."""
        columns, asked = self.columns, tuple(_asked(each, query) for each in self.hides)
        if columns.size > QUICK:
            question, find = (columns.capacity, asked), partial(self._find, query)
            return await self._found.of(question, query.now // MINUTE, query.now, find)
        key = (columns.version, columns.size, columns.capacity, asked)
        if key not in self._known:
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[key] = self._find(query)
        return self._known[key]

    def _find(self, query: Query) -> Matching | None:
        columns, size = self.columns, self.columns.size
        rows = np.arange(size, dtype=np.int32)
        servable = columns.servable[:size] != 0
        left = servable.copy()
        for each in self.hides:
            left &= each.keep(query, rows, {})
        there = int(np.count_nonzero(servable))
        if there - int(np.count_nonzero(left)) <= MUCH * there:
            return None
        # What came in since counts as left, and the filters decide.
        mask = columns.servable[: columns.capacity] != 0
        mask[:size] = left
        return Matching.of(mask, size=size, asked=False)


def _asked(hides: Hides, query: Query) -> Hashable:
    """What of a request decides what the rule hides from it."""
    if isinstance(hides, Restrict) and hides.admits(query):
        return None
    return of_condition(hides.where, query) if hides.where else ""


def of_condition(where: Where, query: Query) -> Hashable:
    """What of a request decides where the condition holds."""
    if where.condition is None:
        return ""
    names = {each.name for each in fields(where.condition) if each.name.startswith(VISITOR)}
    timed = any(isinstance(each, Now) for each in parts(where.condition))
    values = tuple((name, repr(query.values.get(name))) for name in sorted(names))
    return (query.now // MINUTE if timed else 0.0, values)

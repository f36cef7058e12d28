"""What a worker keeps for the day when nothing else answers: last slates, and a list for all."""

from collections import OrderedDict
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Rows
from palate.funnel.engine import Funnel
from palate.funnel.types import NOTHING, Answer, Query
from palate.stores import Stores

DEPTH = 1_000
"""Items on the list for all: deep enough that what a visitor must not see leaves a page over."""


class KeptSlates:
    """Last slates by surface and visitor, the least lately asked for dropped first; popular rows.

    Both live in the process: no store has to answer for them. What comes of them still passes every
    filter (`funnel.ladder`).
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._slates: OrderedDict[tuple[str, int, int], Rows] = OrderedDict()
        self._popular: Rows = NOTHING

    def note(self, query: Query, answer: Answer) -> None:
        """Keep what somebody known was shown on their first page."""
        if not query.user.key or not len(answer.slate) or (query.matching and query.matching.asked):
            return
        place = _place(replace(query, seed_item=answer.seed_item))
        self._slates[place] = answer.slate.rows
        self._slates.move_to_end(place)
        while len(self._slates) > self._most:
            self._slates.popitem(last=False)

    def last(self, query: Query) -> Rows:
        """Rows that the visitor was shown there last; none for somebody new."""
        return self._slates.get(_place(query), NOTHING)

    def popular(self, query: Query) -> Rows:
        """Rows that most people took in, as of the last refresh."""
        return self._popular

    def refresh(self, stores: Stores) -> None:
        """Read the popular rows; keeps those it has where there are none."""
        rows, _ = stores.boards.top("popular", DEPTH)
        if not len(rows):
            rows = _first(stores.columns.servable[: stores.columns.size])
        if len(rows):
            self._popular = rows

    def behind(self, funnel: Funnel) -> Funnel:
        """The funnel with these as its last rungs."""
        return replace(funnel, last_slate=self.last, static=self.popular)

    def __len__(self) -> int:
        return len(self._slates)


def _first(servable: NDArray[np.uint8]) -> Rows:
    """The first `DEPTH` servable rows; not all are looked at where these lie at the front."""
    few = np.flatnonzero(servable[: 4 * DEPTH])
    found = few if len(few) >= DEPTH else np.flatnonzero(servable)
    return found[:DEPTH].astype(np.int32)


def _place(query: Query) -> tuple[str, int, int]:
    return query.surface, query.user.key, query.seed_item

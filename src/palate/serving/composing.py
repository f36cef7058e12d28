"""A whole page: several surfaces as rows, chosen and ordered for one visitor, no item twice.

Every row is asked for a little more than it shows. Rows are placed one by one: next comes the row
whose first items, of those not yet on the page, bring most by Home's own ranking, for it is the one
measure that all rows share. What has been placed leaves the rows below, and a row that is left
with too little is not shown, unless there is no other. Once a row has its place its rules act anew,
on what is left to it: so pins, windows and minimums hold of the row that is shown, or are said to
have given way.
"""

import math
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from palate.arrays import Mask, Rows
from palate.errors import NotFound
from palate.funnel.types import Slate
from palate.serving.bodies import Ask, PageBody
from palate.serving.pacing.pacer import Turn
from palate.serving.recommend import Found, Recommending, recommendation_id
from palate.serving.runtime import Runtime
from palate.settings import PageSettings
from palate.surfaces.because_you_watched import anchors
from palate.surfaces.pages import HOME, pages_of

ANCHORED = "because_you_watched"
LOOKED_AT = 5
"""First items of a row, by which it is placed."""
NOTHING = (False, -math.inf)


class Row(NamedTuple):
    """One surface's answer, and who will tell it."""

    asking: Recommending
    found: Found

    @property
    def slate(self) -> Slate:
        """What it would show."""
        return self.found.answer.slate


class Composing:
    """One page under way, its `ask` checked; `surface` names the page, `limit` is of every row."""

    def __init__(self, runtime: Runtime, ask: Ask) -> None:
        pages = pages_of(runtime.settings)
        if ask.surface not in pages:
            known = ", ".join(sorted(pages))
            raise NotFound(f"there is no page {ask.surface!r}; there are {known}")
        self._runtime, self._ask, self._page = runtime, ask, pages[ask.surface]
        self._now = runtime.clock.now()

    async def answer(self, turn: Turn) -> PageBody:
        """Ask every surface, place the rows, tell and log what is shown. Raises BadInput."""
        told = [await row.asking.told(row.found) for row in await self.rows(turn)]
        self._runtime.meters.page(self._ask.surface, self._runtime.pacer.timer() - turn.came)
        return PageBody(page=self._ask.surface, rows=tuple(told))

    async def rows(self, turn: Turn) -> "list[Row]":
        """Ask every surface and place the rows; nothing is noted of them. Raises BadInput."""
        asks = [(self._row(surface), -1) for surface in self._page.rows if surface != ANCHORED]
        if ANCHORED in self._page.rows:
            asks += self._anchored(self._row(ANCHORED))
        rows = [
            await self._asked(ask, anchor, turn.part(ask.surface, 1 / left))
            for left, (ask, anchor) in zip(range(len(asks), 0, -1), asks, strict=True)
        ]
        return await placed_rows(rows, self._ask.limit, self._page)

    def _row(self, surface: str) -> Ask:
        """More than is shown: the rows above may have taken some of it."""
        most = self._runtime.settings.serving.max_limit
        size = min(self._ask.limit * 2, most)
        return msgspec.structs.replace(self._ask, surface=surface, limit=size)

    async def _asked(self, ask: Ask, anchor: int, turn: Turn) -> Row:
        draw = self._runtime.clock.draw()
        name = recommendation_id(self._now, draw)
        asking = Recommending(self._runtime, ask, name, self._now, turn)
        found = await asking.found(draw, anchor)
        asking.stop()
        turn.learn()
        return Row(asking, found._replace(alone=False))

    def _anchored(self, ask: Ask) -> list[tuple[Ask, int]]:
        """A row about each of the last things the visitor liked, else took in."""
        state = self._runtime.visitors.find(ask).state
        first = anchors(state, self._runtime.stores.columns)
        return [(ask, anchor) for anchor in first[: self._page.anchors].tolist()]


async def placed_rows(rows: Sequence[Row], size: int, page: PageSettings) -> list[Row]:
    """The rows in the order of the page, each composed without what stands above it.

    What an operator's rule put into a row stays there, though another row has it too. A row that
    gets no place keeps nothing from the others: they are placed anew without its claims, the last
    such row first, for without these another one may find its place.
    """
    unplaced: set[int] = set()
    while True:
        keepers = _keepers(rows, size, unplaced)
        placed = await _placed(rows, size, page, keepers)
        in_vain = set(keepers.values()) - placed.keys()
        if not in_vain:
            return list(placed.values())
        unplaced.add(max(in_vain))


async def _placed(
    rows: Sequence[Row], size: int, page: PageSettings, keepers: Mapping[int, int]
) -> dict[int, Row]:
    """The rows that get a place, by their numbers, in the order of the page."""
    least = msgspec.structs.replace(page, least=min(page.least, size))
    measure = _Measure(*_values(rows), least, size)
    left, placed, above = list(range(len(rows))), dict[int, Row](), np.empty(0, np.int32)

    def taken(n: int) -> Rows:
        kept = [item for item, at in keepers.items() if at != n and at in left]
        return np.concatenate([above, np.array(kept, np.int32)])

    while left:
        worth = [_worth(rows[n], taken(n), measure) for n in left]
        if not placed and measure.page.least > 1 and all(each is NOTHING for each in worth):
            measure = measure.looser()  # a catalogue of a few items
            continue
        best = max(range(len(left)), key=worth.__getitem__)
        if worth[best] is NOTHING:
            break
        n, beside = left[best], taken(left[best])
        left.remove(n)
        row = await _beneath(rows[n], beside, size)
        if len(row.slate):
            placed[n] = row
            above = np.concatenate([above, row.slate.rows])
    return placed


async def _beneath(row: Row, above: Rows, size: int) -> Row:
    return row._replace(found=await row.asking.beneath(row.found, above, size))


def _keepers(rows: Sequence[Row], size: int, without: Container[int]) -> dict[int, int]:
    """By item: the row, by its number, into which a rule put it; the first, where several have.

    Of rows `without` a place nothing is kept.
    """
    return {
        item: n
        for n, row in reversed(list(enumerate(rows)))
        if n not in without
        for item in row.slate.rows[:size][_certain(row.slate)[:size]].tolist()
        if item in row.slate.marks
    }


def _certain(slate: Slate) -> Mask:
    """Where nothing was left to chance.

    A row's place, and what it keeps from others, does not depend on its draw: else the probability
    on record would not be that of what is shown.
    """
    return np.ones(len(slate), np.bool_) if slate.explore is None else ~slate.explore


def _values(rows: Sequence[Row]) -> tuple[dict[int, float], float]:
    """What Home's ranker makes of what it was offered."""
    for row in rows:
        ranked = row.found.answer.trace.ranked
        if row.found.query.surface == HOME and ranked is not None and len(ranked):
            scores = ranked.scores.tolist()
            return dict(zip(ranked.rows.tolist(), scores, strict=True)), scores[-1]
    return {}, 0.0


class _Measure(NamedTuple):
    """What rows are compared by."""

    value: dict[int, float]
    lowest: float
    page: PageSettings
    size: int

    def looser(self) -> "_Measure":
        """The same, by which a row may have an item less."""
        return self._replace(page=msgspec.structs.replace(self.page, least=self.page.least - 1))


def _worth(row: Row, above: Rows, by: _Measure) -> tuple[bool, float]:
    """What a row brings: those that the page puts first, then by their first items."""
    slate, page = row.slate, by.page
    free = ~np.isin(slate.rows, above)
    shown = slate.rows[free & _certain(slate)][:LOOKED_AT].tolist()
    foremost = row.found.query.surface in page.first
    if not shown or min(int(free.sum()), by.size) < (1 if foremost else page.least):
        return NOTHING
    return foremost, sum(by.value.get(item, by.lowest) for item in shown) / len(shown)

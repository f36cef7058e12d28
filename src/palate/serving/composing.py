"""A whole page: several surfaces as rows, chosen and ordered for one visitor, no item twice.

Every row is asked for a little more than it shows. Rows are placed one by one: next comes the row
whose first items, of those not yet on the page, bring most by Home's own ranking, for it is the one
measure that all rows share. What has been placed leaves the rows below, and a row that is left
with too little is not shown.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import msgspec
import numpy as np

from palate.arrays import Rows
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
        asks = [(self._row(surface), -1) for surface in self._page.rows if surface != ANCHORED]
        if ANCHORED in self._page.rows:
            asks += self._anchored(self._row(ANCHORED))
        rows = [
            await self._asked(ask, anchor, turn.part(ask.surface, 1 / left))
            for left, (ask, anchor) in zip(range(len(asks), 0, -1), asks, strict=True)
        ]
        placed = placed_rows(rows, self._ask.limit, self._page)
        told = [await row.asking.told(row.found) for row in placed]
        return PageBody(page=self._ask.surface, rows=tuple(told))

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
        turn.learn()
        return Row(asking, found._replace(alone=False))

    def _anchored(self, ask: Ask) -> list[tuple[Ask, int]]:
        """A row about each of the last things the visitor liked, else took in."""
        state = self._runtime.visitors.find(ask).state
        first = anchors(state, self._runtime.stores.columns)
        return [(ask, anchor) for anchor in first[: self._page.anchors].tolist()]


def placed_rows(rows: Sequence[Row], size: int, page: PageSettings) -> list[Row]:
    """The rows in the order of the page, each without what stands above it.

    What an operator's rule put into a row stays there, though another row has it too.
    """
    value, lowest = _values(rows)
    page = msgspec.structs.replace(page, least=min(page.least, size))
    left, placed, above = list(range(len(rows))), [], np.empty(0, np.int32)
    keepers = _keepers(rows, size)

    def cut_of(n: int) -> Row:
        kept = [item for item, at in keepers.items() if at != n and at in left]
        return _without(rows[n], np.concatenate([above, np.array(kept, np.int32)]), size)

    while left:
        cut = [cut_of(n) for n in left]
        worth = [_worth(row, value, lowest, page) for row in cut]
        best = max(range(len(cut)), key=worth.__getitem__)
        if worth[best] is NOTHING:
            break
        placed.append(cut[best])
        above = np.concatenate([above, cut[best].slate.rows])
        left.pop(best)
    return placed


def _keepers(rows: Sequence[Row], size: int) -> dict[int, int]:
    """By item: the row, by its number, into which a rule put it; the first, where several have."""
    return {
        item: n
        for n, row in reversed(list(enumerate(rows)))
        for item in row.slate.rows[:size].tolist()
        if item in row.slate.marks
    }


def _values(rows: Sequence[Row]) -> tuple[dict[int, float], float]:
    """What Home's ranker makes of what it was offered."""
    for row in rows:
        ranked = row.found.answer.trace.ranked
        if row.found.query.surface == HOME and ranked is not None and len(ranked):
            scores = ranked.scores.tolist()
            return dict(zip(ranked.rows.tolist(), scores, strict=True)), scores[-1]
    return {}, 0.0


def _worth(
    row: Row, value: dict[int, float], lowest: float, page: PageSettings
) -> tuple[bool, float]:
    """What a row brings: those that `page` puts first, then by their first items."""
    shown = row.slate.rows[:LOOKED_AT].tolist()
    foremost = row.found.query.surface in page.first
    if len(row.slate) < (1 if foremost else page.least):
        return NOTHING
    return foremost, sum(value.get(item, lowest) for item in shown) / len(shown)


def _without(row: Row, above: Rows, size: int) -> Row:
    """The row's first items that do not stand above.

    Where some do, what was drawn by lot leaves too: its probability was counted for the whole row.
    """
    slate, free = row.slate, ~np.isin(row.slate.rows, above)
    if not free.all() and slate.explore is not None:
        free &= ~slate.explore
        slate = replace(slate, explore=None, propensity=None)
    kept = np.flatnonzero(free)[:size]
    answer = row.found.answer
    reasons = tuple(answer.reasons[at] for at in kept.tolist())
    cut = replace(answer, slate=slate.take(kept), reasons=reasons)
    return row._replace(found=row.found._replace(answer=cut))

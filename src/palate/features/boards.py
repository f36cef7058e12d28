"""Leaderboards: the heads of the decayed counts, computed by the stream worker, read by requests.

Popularity is compared at one moment, the newest event's, so that a history imported years later
still ranks. It blends what is taken in now (7-day half-life) with all there ever was; the fewer
recent events there are, the more the past decides. Trending compares the rate of the last day
with the last month's, taking the lower bound of two standard deviations: no visitor alone makes a
trend. Fresh goes by publication, else by the first event, else by the row (the newest row first).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Rows
from palate.catalog.columns import ItemColumns
from palate.features.folds import DAY, FIRST_AT, ITEM_SLOT, SEGMENT_HALF_LIFE
from palate.features.heads import Counted, Heads, Rules, head, rank, totals
from palate.features.items import TABLE, ItemStates
from palate.features.known import frozen
from palate.mapped.files import MappedArrays
from palate.mapped.layouts import Column, Layout
from palate.mapped.projections import Projection

Board: TypeAlias = Literal["popular", "trending", "fresh"]

DEPTH = 1_000
"""Items on one board."""
GLOBAL: dict[Board, int] = {"popular": 0, "trending": 1, "fresh": 2}
SEGMENTS_AT, CATEGORIES_AT = 16, 16 + 320
"""Boards of segments (and behind them of regions, by column) and of categories begin here."""
CAPACITY = 512

RECENT_SHARE = 0.7
"""Weight of the last days in popularity once there are plenty of events in them."""
RECENT_PRIOR = 1_000.0
"""Recent events at which they get half of that weight."""
SEGMENT_PRIOR = 200.0
"""Events of a segment at which its own popularity gets half of the weight."""
TREND_PRIOR = 4.0
"""Events added to what the month led us to expect of a day."""
DEVIATIONS = 2.0
"""Below a day's count: so far down the rate may well be."""
FRESH_HALF_LIFE = 14 * DAY
CHUNK = 1 << 20
"""Items whose age is looked at at a time."""

LAYOUT = Layout(
    {
        "rows": Column("i4", (2, DEPTH), -1),
        "scores": Column("f4", (2, DEPTH)),
        "sizes": Column("i4", (2,)),
    },
    {"side": "i8", "built": "f8", "position": "i8"},
)

Held: TypeAlias = tuple[Rows, Floats, NDArray[np.int32], NDArray[np.int64]]
"""Rows, scores and sizes, (boards, 2, …) each, and which of the two sides is read, (1,)."""


class Leaderboards(Projection):
    """Boards in two copies: the writer fills one while the other is read, then turns them."""

    def __init__(self, arrays: MappedArrays) -> None:
        super().__init__(arrays)
        self._told: tuple[Mapping[str, NDArray[Any]], Held] | None = None

    @classmethod
    def in_memory(cls) -> "Leaderboards":
        """Boards of this process alone."""
        return cls(MappedArrays.in_memory(LAYOUT, CAPACITY))

    @classmethod
    def open(cls, directory: Path, *, write: bool = False) -> "Leaderboards":
        """Map the boards below `directory`; a reader may come before the writer."""
        return cls(MappedArrays.open(directory, LAYOUT, write=write, capacity=CAPACITY))

    def renew(self) -> None:
        """Begin anew, blank, in the place of what is damaged."""
        self._arrays.renew()

    def top(self, name: Board, limit: int) -> tuple[Rows, Floats]:
        """Best `limit` rows of a board and their scores (share of engagements, trend, age)."""
        return self._read(GLOBAL[name], limit)

    def category(self, code: int, limit: int) -> tuple[Rows, Floats]:
        """Most popular rows of a category; nothing for an unknown code."""
        return self._read(of_category(code), limit)

    def segment(self, code: int, limit: int) -> tuple[Rows, Floats]:
        """Most popular rows among the users of a segment; nothing for the unknown one, 0."""
        return self._read(of_segment(code), limit)

    def region(self, code: int, limit: int) -> tuple[Rows, Floats]:
        """Most popular rows among the users of a region; nothing for the unknown one, 0."""
        return self.segment(code, limit)

    @property
    def held(self) -> Held:
        """All of them, as a loop reads them."""
        told, arrays = self._told, self._arrays.bound
        if told is None or told[0] is not arrays:  # they are others since they were read last
            rows, scores, sizes = (frozen(arrays[name]) for name in LAYOUT.columns)
            held = rows, scores, sizes, frozen(self._arrays.header["side"])
            self._told = told = arrays, held
        return told[1]

    def rows(self) -> Rows:
        """Whatever is on any board, each row once, those that are high on some board first."""
        side = int(self._arrays.scalar("side"))
        held = np.array(self._arrays["rows"][:, side].T).ravel()
        filled = np.arange(DEPTH)[:, None] < self._arrays["sizes"][:, side]
        return np.array(list(dict.fromkeys(held[filled.ravel()].tolist())), np.int32)

    def build(self, states: ItemStates, columns: ItemColumns, now: float) -> None:
        """Compute every board anew from the counters and the catalogue."""
        categories = len(columns.category_names())
        if CATEGORIES_AT + categories > self._arrays.capacity:
            self._arrays.grow(2 * (CATEGORIES_AT + categories))
        side = 1 - int(self._arrays.scalar("side"))
        position = states.position
        self._arrays["sizes"][:, side] = 0
        for board, rows, scores in _boards(states, columns, now):
            self._arrays["rows"][board, side, : len(rows)] = rows
            self._arrays["scores"][board, side, : len(rows)] = scores
            self._arrays["sizes"][board, side] = len(rows)
        self._arrays.stamp(side=side, built=now, position=position)

    def _read(self, board: int, limit: int) -> tuple[Rows, Floats]:
        if not 0 <= board < self._arrays.capacity:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        side = int(self._arrays.scalar("side"))
        size = min(int(self._arrays["sizes"][board, side]), limit)
        rows, scores = self._arrays["rows"], self._arrays["scores"]
        return rows[board, side, :size].copy(), scores[board, side, :size].copy()


def of_category(code: int) -> int:
    """The number of a category's board; -1 for an unknown code."""
    return CATEGORIES_AT + code if code >= 0 else -1


def of_segment(code: int) -> int:
    """The number of the board of a segment, or of a region; -1 for the unknown one, 0."""
    return SEGMENTS_AT + code if code > 0 else -1


def _boards(
    states: ItemStates, columns: ItemColumns, now: float
) -> Iterator[tuple[int, Rows, Floats]]:
    size = min(columns.size, states.capacity, len(columns.servable))
    at = min(states.newest, now) if states.newest else now
    held = Counted(
        columns.servable[:size],
        states.slots[:size],
        states.counts,
        states.times,
        states.engaged,
        columns.categories[:size],
    )
    codes, width = len(columns.category_names()), states.engaged.wide.shape[1]
    rules, heads = _rules(at), Heads.none(2 + width + codes, DEPTH)
    rank(held, rules, totals(held, rules), heads, DEPTH)
    yield GLOBAL["popular"], *head(heads, 0, DEPTH)
    yield GLOBAL["trending"], *head(heads, 1, DEPTH)
    yield GLOBAL["fresh"], *_fresh(states, columns, now)
    for column in range(width):
        yield SEGMENTS_AT + column, *head(heads, 2 + column, DEPTH)
    for code in range(codes):
        yield CATEGORIES_AT + code, *head(heads, 2 + width + code, DEPTH)


def _rules(at: float) -> Rules:
    slots = np.array([ITEM_SLOT[f"engaged_{span}"] for span in ("total", "7d", "30d", "1d")])
    return Rules(
        at=at,
        slots=slots,
        rates=TABLE.rate[slots],
        segment_rate=1.0 / SEGMENT_HALF_LIFE,
        recent_share=RECENT_SHARE,
        recent_prior=RECENT_PRIOR,
        segment_prior=SEGMENT_PRIOR,
        trend_prior=TREND_PRIOR,
        deviations=DEVIATIONS,
        segments_at=2,
    )


def _fresh(states: ItemStates, columns: ItemColumns, now: float) -> tuple[Rows, Floats]:
    """Published and known by now, the newest first; some items at a time."""
    found, ages = np.empty(0, np.int32), np.empty(0)
    for start in range(0, columns.size, CHUNK):
        part = slice(start, min(start + CHUNK, columns.size))
        rows = (start + np.flatnonzero(columns.servable[part])).astype(np.int32)
        since = _since(states, columns, rows, now)
        kept = since <= now
        found, ages = np.append(found, rows[kept]), np.append(ages, now - since[kept])
        order = _first(ages, -found.astype(np.float64), DEPTH)
        found, ages = found[order], ages[order]
    return found, np.exp2(-ages / FRESH_HALF_LIFE).astype(np.float32)


def _since(states: ItemStates, columns: ItemColumns, rows: Rows, now: float) -> Doubles:
    """When each item came: its publication, else its first event, else just now (or not yet)."""
    unmet = now if columns.undated_is_new else np.inf
    first = states.times[states.slots_of(rows), FIRST_AT]
    published = columns.published[rows]
    return np.where(np.isnan(published), np.where(first > 0, first, unmet), published)


def _first(keys: Doubles, ties: Doubles, depth: int) -> NDArray[np.intp]:
    """Places of the `depth` smallest keys in order; equals by `ties`."""
    places = np.arange(len(keys))
    if len(keys) > depth:
        cut = np.partition(keys, depth - 1)[depth - 1]
        places = np.flatnonzero(keys <= cut)
    return places[np.lexsort((ties[places], keys[places]))][:depth]

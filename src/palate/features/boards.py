"""Leaderboards: the heads of the decayed counts, computed by the stream worker, read by requests.

Popularity is compared at one moment, the newest event's, so that a history imported years later
still ranks. It blends what is taken in now (7-day half-life) with all there ever was; the fewer
recent events there are, the more the past decides. Trending compares the rate of the last day
with the last month's, taking the lower bound of two standard deviations: no visitor alone makes a
trend. Fresh goes by publication, else by the first event, else by the row (the newest row first).
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Rows
from palate.catalog.columns import ItemColumns
from palate.features.folds import DAY, ITEM_SLOT
from palate.features.items import ItemStates
from palate.mapped import Column, Layout, MappedArrays

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

LAYOUT = Layout(
    {
        "rows": Column("i4", (2, DEPTH), -1),
        "scores": Column("f4", (2, DEPTH)),
        "sizes": Column("i4", (2,)),
    },
    {"side": "i8", "built": "f8", "position": "i8"},
)


class Leaderboards:
    """Boards in two copies: the writer fills one while the other is read, then turns them."""

    def __init__(self, arrays: MappedArrays) -> None:
        self._arrays = arrays

    @classmethod
    def in_memory(cls) -> "Leaderboards":
        """Boards of this process alone."""
        return cls(MappedArrays.in_memory(LAYOUT, CAPACITY))

    @classmethod
    def open(cls, directory: Path, *, write: bool = False) -> "Leaderboards":
        """Map the boards below `directory`; a reader may come before the writer."""
        return cls(MappedArrays.open(directory, LAYOUT, write=write, capacity=CAPACITY))

    @property
    def position(self) -> int:
        """Log position of the counts they were built from."""
        return int(self._arrays.scalar("position"))

    def refresh(self) -> bool:
        """Follow the writer to a new generation; cheap, call it before each request."""
        return self._arrays.refresh()

    def top(self, name: Board, limit: int) -> tuple[Rows, Floats]:
        """Best `limit` rows of a board and their scores (share of engagements, trend, age)."""
        return self._read(GLOBAL[name], limit)

    def category(self, code: int, limit: int) -> tuple[Rows, Floats]:
        """Most popular rows of a category; nothing for an unknown code."""
        return self._read(CATEGORIES_AT + code if code >= 0 else -1, limit)

    def segment(self, code: int, limit: int) -> tuple[Rows, Floats]:
        """Most popular rows among the users of a segment; nothing for the unknown one, 0."""
        return self._read(SEGMENTS_AT + code if code > 0 else -1, limit)

    def region(self, code: int, limit: int) -> tuple[Rows, Floats]:
        """Most popular rows among the users of a region; nothing for the unknown one, 0."""
        return self.segment(code, limit)

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


def _boards(
    states: ItemStates, columns: ItemColumns, now: float
) -> Iterator[tuple[int, Rows, Floats]]:
    size = min(columns.size, states.capacity, len(columns.servable))
    rows = np.flatnonzero(columns.servable[:size]).astype(np.int32)
    at = min(states.newest, now) if states.newest else now
    popular = _popular(states, rows, at)
    yield GLOBAL["popular"], *_head(rows, popular)
    yield GLOBAL["trending"], *_head(rows, _trend(states, rows, at))
    yield GLOBAL["fresh"], *_fresh(states, columns, now)
    segments = states.by_segment(at, rows).astype(np.float64)
    held = np.hstack([segments, states.by_region(at, rows)])
    active = np.flatnonzero(held[:, 1:].any(axis=0)) + 1
    for column in active.tolist():
        yield SEGMENTS_AT + column, *_head(rows, _within(held[:, column], popular))
    for code, members in enumerate(_members(columns, rows)):
        yield CATEGORIES_AT + code, *_head(rows[members], popular[members])


def _members(columns: ItemColumns, rows: Rows) -> Iterator[NDArray[np.intp]]:
    """Places in `rows` of the items of each category, by code."""
    held = columns.categories[rows]
    codes, places = held[held >= 0], np.nonzero(held >= 0)[0]
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(columns.category_names()) + 1))
    for start, stop in pairwise(bounds.tolist()):
        yield np.unique(places[order[start:stop]])


def _popular(states: ItemStates, rows: Rows, at: float) -> Floats:
    recent = states.decayed("engaged_7d", at, rows).astype(np.float64)
    ever = states.decayed("engaged_total", at, rows).astype(np.float64)
    weight = RECENT_SHARE * recent.sum() / (recent.sum() + RECENT_PRIOR)
    share: Doubles = weight * _share(recent) + (1.0 - weight) * _share(ever)
    return share.astype(np.float32)


def _within(counts: Doubles, popular: Floats) -> Floats:
    """Popularity in a segment; the fewer its events, the more everybody's decides."""
    weight = counts.sum() / (counts.sum() + SEGMENT_PRIOR)
    blend: Doubles = weight * _share(counts) + (1.0 - weight) * popular
    return blend.astype(np.float32)


def _share(counts: Doubles) -> Doubles:
    shares: Doubles = counts / max(float(counts.sum()), 1.0)
    return shares


def _trend(states: ItemStates, rows: Rows, at: float) -> Floats:
    day = states.decayed("engaged_1d", at, rows)
    month = states.decayed("engaged_30d", at, rows)
    bound = np.maximum(day - DEVIATIONS * np.sqrt(day), 0.0)
    trend: Floats = (bound / (month / 30.0 + TREND_PRIOR)).astype(np.float32)
    return trend


def _fresh(states: ItemStates, columns: ItemColumns, now: float) -> tuple[Rows, Floats]:
    """Published and known by now, the newest first."""
    rows = np.flatnonzero(columns.servable[: columns.size]).astype(np.int32)
    first = np.zeros(len(rows))
    within = rows < states.capacity
    first[within] = states.counters[rows[within], ITEM_SLOT["first_time"], 0]
    published = columns.published[rows]
    since = np.where(np.isnan(published), np.where(first > 0, first, now), published)
    kept = since <= now
    rows, age = rows[kept], now - since[kept]
    order = _first(age, -rows.astype(np.float64), DEPTH)
    return rows[order], np.exp2(-age[order] / FRESH_HALF_LIFE).astype(np.float32)


def _head(rows: Rows, scores: Floats) -> tuple[Rows, Floats]:
    found = np.flatnonzero(scores > 0)
    rows, scores = rows[found], scores[found]
    order = _first(-scores.astype(np.float64), rows.astype(np.float64), DEPTH)
    return rows[order], scores[order]


def _first(keys: Doubles, ties: Doubles, depth: int) -> NDArray[np.intp]:
    """Places of the `depth` smallest keys in order; equals by `ties`."""
    places = np.arange(len(keys))
    if len(keys) > depth:
        cut = np.partition(keys, depth - 1)[depth - 1]
        places = np.flatnonzero(keys <= cut)
    return places[np.lexsort((ties[places], keys[places]))][:depth]

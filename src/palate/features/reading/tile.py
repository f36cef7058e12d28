"""The numbers of a few candidates, side by side: one row per slot of `sources.CANDIDATE`.

A tile is (slots, TILE) and stays in the processor's nearest cache while it is filled, shaped and
written out. Rows that lie beyond an array read as an item nobody ever heard of.
"""

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Rows
from palate.features.folds import ITEM_FOLDS, ITEM_SLOT, SEGMENT_HALF_LIFE, table_of
from palate.features.reading.shapes import TILE, When, World
from palate.features.sources import AT
from palate.jit import exp2, kernel

DECAYING = len(ITEM_FOLDS) - 2
"""The folds but `first_time` and `last_time`, which stand at the end."""
RATE = table_of(ITEM_FOLDS).rate
FIRST = ITEM_SLOT["first_time"]
DAILY, MONTHLY = AT["engaged_1d"], AT["engaged_30d"]
AGE, EXPIRES, MIN_AGE = AT["age"], AT["expires"], AT["min_age"]
CATEGORIES, TAGS, CREATOR = AT["category_count"], AT["tags"], AT["creator_known"]
CONTENT, REGIONAL = AT["content_known"], AT["regional"]
TAKERS, NEIGHBOURS = AT["takers"], AT["neighbours"]
TOP, ALL, MINE, TREND = AT["segment_top"], AT["segment_all"], AT["segment_mine"], AT["trend"]
EXPECTED = np.float32(4.0)
"""Events added to what the month led us to expect of a day; as on the trending board."""


@kernel
def read_items(raw: Floats, rows: Rows, world: World, segment: int, when: When) -> None:
    """Fill the slots that hang on the item (and on the user's segment)."""
    _counts(raw, rows, world, when.at)
    _times(raw, rows, world, when.at)
    _catalogue(raw, rows, world)
    _pairs(raw, rows, world)
    _segments(raw, rows, world, segment, when)
    for j in range(TILE):
        day = raw[DAILY, j]
        bound = max(day - np.sqrt(day), np.float32(0))
        raw[TREND, j] = bound / (raw[MONTHLY, j] * np.float32(1 / 30) + EXPECTED)


@kernel
def _counts(raw: Floats, rows: Rows, world: World, at: float) -> None:
    powers = np.empty((DECAYING, TILE), np.float32)
    last = len(world.counters) - 1
    for j in range(TILE):
        row = min(rows[j], last)
        within = np.float32(1.0 if row == rows[j] else 0.0)
        for f in range(DECAYING):
            raw[f, j] = np.float32(world.counters[row, f, 0]) * within
            powers[f, j] = (world.counters[row, f, 1] - at) * RATE[f]
    for f in range(DECAYING):
        for j in range(TILE):
            raw[f, j] *= exp2(min(powers[f, j], np.float32(0)))


@kernel
def _times(raw: Floats, rows: Rows, world: World, at: float) -> None:
    """Seconds since the first and the last act; since publication, until the end; 0 for unknown."""
    last, counted = len(world.published) - 1, len(world.counters)
    for j in range(TILE):
        for f in range(FIRST, FIRST + 2):
            when = world.counters[rows[j], f, 0] if rows[j] < counted else 0.0
            raw[f, j] = max(at - when, 0.0) if when > 0 else 0.0
        row = min(rows[j], last)
        published, expires = world.published[row], world.expires[row]
        known, ends = not np.isnan(published), not np.isnan(expires)
        raw[AGE, j] = max(at - published, 0.0) if known else 0.0
        raw[AGE + 1, j] = known
        raw[EXPIRES, j] = max(expires - at, 0.0) if ends else 0.0
        raw[EXPIRES + 1, j] = ends


@kernel
def _catalogue(raw: Floats, rows: Rows, world: World) -> None:
    last = len(world.published) - 1
    for j in range(TILE):
        row, count = min(rows[j], last), 0
        for code in world.categories[row]:
            count += code >= 0
        regions = np.uint64(0)
        for part in world.regions[row]:
            regions |= part
        raw[MIN_AGE, j] = world.min_age[row]
        raw[CATEGORIES, j] = count
        raw[TAGS, j] = world.tags[row]
        raw[CREATOR, j] = world.creator[row] >= 0
        raw[REGIONAL, j] = regions != 0
        raw[CONTENT, j] = world.content[row, 0] != 0 or world.content[row, 1] != 0


@kernel
def _pairs(raw: Floats, rows: Rows, world: World) -> None:
    for j in range(TILE):
        held = rows[j] < len(world.pair_sizes)
        raw[TAKERS, j] = world.pair_counts[rows[j]] if held else 0.0
        raw[NEIGHBOURS, j] = world.pair_sizes[rows[j]] if held else 0


@kernel
def _segments(raw: Floats, rows: Rows, world: World, segment: int, when: When) -> None:
    """Engagements by segment; of the best, of all and of the user's own (none for segment 0)."""
    width, last = when.segments, world.segments.shape[1] - 1
    own = min(segment, width - 1)
    for j in range(TILE):
        held = rows[j] < len(world.segments)
        row = rows[j] if held else 0
        top, total = 0.0, 0.0
        for code in range(width):
            value = world.segments[row, code]
            total += value
            top = max(top, value) if code else top
        age = max(when.at - world.segments[row, last], 0.0)
        decay = np.float64(exp2(np.float32(-age / SEGMENT_HALF_LIFE))) if held else 0.0
        raw[TOP, j] = top * decay
        raw[ALL, j] = total * decay
        raw[MINE, j] = world.segments[row, own] * decay if own else 0.0


@kernel
def gathered(rows: Rows, start: int, tile: NDArray[np.int32]) -> int:
    """Copy the rows of a tile, the last one repeated; how many there are."""
    size = min(TILE, len(rows) - start)
    for j in range(TILE):
        tile[j] = rows[start + min(j, size - 1)]
    return size

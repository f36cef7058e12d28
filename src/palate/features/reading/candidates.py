"""The numbers of the candidates, side by side: one row per slot of `sources.CANDIDATE`.

Each loop goes over all candidates and knows only the arrays that it reads; none takes a slice of
one, for that counts references, which costs more than the loop's work. Rows that lie beyond an
array read as an item nobody ever heard of.
"""

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Rows, Times
from palate.features.engagements import Engagements, numbers
from palate.features.folds import (
    COUNTING,
    ENGAGED_AT,
    FIRST_AT,
    ITEM_CLOCKS,
    ITEM_FOLDS,
    ITEM_SLOT,
    SEGMENT_HALF_LIFE,
    table_of,
)
from palate.features.reading.near import faded
from palate.features.reading.shapes import SOON, When, World
from palate.features.sources import AT
from palate.jit import ahead, exp2, kernel
from palate.mapped.projections import slot_in

RATE = table_of(ITEM_FOLDS).rate[:COUNTING]
FIRST = ITEM_SLOT["first_time"]
DAILY, MONTHLY = AT["engaged_1d"], AT["engaged_30d"]
AGE, EXPIRES, MIN_AGE = AT["age"], AT["expires"], AT["min_age"]
CATEGORIES, TAGS, CREATOR = AT["category_count"], AT["tags"], AT["creator_known"]
REGIONAL = AT["regional"]
TAKERS, NEIGHBOURS = AT["takers"], AT["neighbours"]
MINE, TREND = AT["segment_mine"], AT["trend"]
EXPECTED = np.float32(4.0)
"""Events added to what the month led us to expect of a day; as on the trending board."""


@kernel
def read_items(raw: Floats, rows: Rows, world: World, segment: int, when: When) -> None:
    """Fill the slots that hang on the item (and on the user's segment)."""
    counted = _slots(rows, world.slots, len(world.counts))
    _counts(raw, counted, world.counts, world.times, when.at)
    _times(raw, counted, world.times, when.at)
    _dates(raw, rows, world.published, world.expires, when.at)
    _marks(raw, rows, world.min_age, world.tags, world.creator)
    _lists(raw, rows, world.categories, world.regions)
    paired = _slots(rows, world.pair_slots, len(world.pair_sizes))
    _pairs(raw, paired, world.pair_counts, world.pair_sizes)
    if when.fading > 0.0:
        _fade(raw, paired, world.pair_last, when)
    _segment(raw, counted, world, segment, when)
    for j in range(len(rows)):
        day = raw[DAILY, j]
        bound = max(day - np.sqrt(day), np.float32(0))
        raw[TREND, j] = bound / (raw[MONTHLY, j] * np.float32(1 / 30) + EXPECTED)


@kernel
def _slots(rows: Rows, slots: Rows, room: int) -> NDArray[np.int32]:
    """Where the candidates' numbers lie in a pool; 0, which is blank, for nowhere."""
    found = np.zeros(len(rows), np.int32)
    for j in range(len(rows)):
        ahead(slots, min(rows[min(j + SOON, len(rows) - 1)], len(slots) - 1))
        found[j] = slot_in(slots, rows[j], room)
    return found


@kernel
def _counts(raw: Floats, slots: Rows, counts: Floats, times: Doubles, at: float) -> None:
    """Decay every count to `at`."""
    powers = np.empty((COUNTING, len(slots)), np.float32)
    for j in range(len(slots)):
        soon = slots[min(j + SOON, len(slots) - 1)]
        ahead(counts, soon)
        ahead(times, soon)
        slot = slots[j]
        for f in range(COUNTING):
            raw[f, j] = counts[slot, f]
            powers[f, j] = (times[slot, ITEM_CLOCKS[f]] - at) * RATE[f]
    for f in range(COUNTING):
        for j in range(len(slots)):
            raw[f, j] *= exp2(min(powers[f, j], np.float32(0)))


@kernel
def _times(raw: Floats, slots: Rows, times: Doubles, at: float) -> None:
    """Seconds since the first and the last act; 0 for never."""
    for j in range(len(slots)):
        slot = slots[j]
        for n in range(2):
            when = times[slot, FIRST_AT + n]
            raw[FIRST + n, j] = max(at - when, 0.0) if when > 0 else 0.0


@kernel
def _dates(raw: Floats, rows: Rows, published: Times, expires: Times, at: float) -> None:
    """Seconds since publication and until the end; 0 where unknown."""
    last = len(published) - 1
    for j in range(len(rows)):
        soon = min(rows[min(j + SOON, len(rows) - 1)], last)
        ahead(published, soon)
        ahead(expires, soon)
        since, until = published[min(rows[j], last)], expires[min(rows[j], last)]
        raw[AGE, j] = 0.0 if np.isnan(since) else max(at - since, 0.0)
        raw[AGE + 1, j] = not np.isnan(since)
        raw[EXPIRES, j] = 0.0 if np.isnan(until) else max(until - at, 0.0)
        raw[EXPIRES + 1, j] = not np.isnan(until)


@kernel
def _marks(
    raw: Floats,
    rows: Rows,
    min_age: NDArray[np.uint8],
    tags: NDArray[np.uint16],
    creator: NDArray[np.int32],
) -> None:
    last = len(min_age) - 1
    for j in range(len(rows)):
        row = min(rows[j], last)
        raw[MIN_AGE, j] = min_age[row]
        raw[TAGS, j] = tags[row]
        raw[CREATOR, j] = creator[row] >= 0


@kernel
def _lists(
    raw: Floats, rows: Rows, categories: NDArray[np.int16], regions: NDArray[np.uint64]
) -> None:
    last = len(categories) - 1
    for j in range(len(rows)):
        soon = min(rows[min(j + SOON, len(rows) - 1)], last)
        ahead(categories, soon)
        ahead(regions, soon)
        row, count, anywhere = min(rows[j], last), 0, np.uint64(0)
        for place in range(categories.shape[1]):
            count += categories[row, place] >= 0
        for part in range(regions.shape[1]):
            anywhere |= regions[row, part]
        raw[CATEGORIES, j] = count
        raw[REGIONAL, j] = anywhere != 0


@kernel
def _pairs(raw: Floats, slots: Rows, counts: Doubles, sizes: NDArray[np.int32]) -> None:
    for j in range(len(slots)):
        soon = slots[min(j + SOON, len(slots) - 1)]
        ahead(counts, soon)
        ahead(sizes, soon)
        raw[TAKERS, j] = counts[slots[j]]
        raw[NEIGHBOURS, j] = sizes[slots[j]]


@kernel
def _fade(raw: Floats, slots: Rows, last: Times, when: When) -> None:
    """Who took it in long ago counts less, as co-visitation has it."""
    for j in range(len(slots)):
        raw[TAKERS, j] *= faded(last, slots[j], when)


@kernel
def _segment(raw: Floats, slots: Rows, world: World, segment: int, when: When) -> None:
    """Engagements of the user's own segment (none for segment 0)."""
    own, times = min(segment, when.segments - 1), world.times
    held = Engagements(world.seats, world.seat_codes, world.few, world.wide, world.seats_used)
    taken = numbers(held, slots, own) if own > 0 else np.zeros(len(slots), np.float32)
    for j in range(len(slots)):
        power = np.float32(min((times[slots[j], ENGAGED_AT] - when.at) / SEGMENT_HALF_LIFE, 0.0))
        raw[MINE, j] = taken[j] * exp2(power)

"""Reading co-visitation: the compiled loops that add up what a history says of other items.

Each item of the history speaks through the neighbours that were counted and, where that is wanted,
through those that are described like it.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Mask, Rows
from palate.catalog.alike import Alike
from palate.index.slots import SIEVE, free, slot
from palate.jit import ahead, kernel, swift
from palate.models.covisit_table import Table, place_of

SOON = 6
"""Items between the one that is read and the one whose memory is asked for."""


class Scaled(NamedTuple):
    """A history, and what its items' neighbours are worth."""

    rows: Rows
    pairs: Doubles
    """(history,): what 1 of an item's counted pairs is worth."""
    likeness: Doubles
    """(history,): what a cosine of 1 with it is worth; 0 where likeness does not count."""


class Wanted(NamedTuple):
    """Distinct rows, and how each is found among them."""

    rows: Rows
    held: NDArray[np.int32]
    """A table of their places; see `index.slots`."""
    sieve: Mask
    """True at the last bits of each."""


@kernel
def _alike(alike: Alike, row: int, worth: float) -> int:
    """How many items are described alike, where that counts."""
    few = alike.rows.shape[1] if worth > 0.0 and row < len(alike.rows) else 0
    while few > 0 and alike.rows[row, few - 1] < 0:
        few -= 1
    return few


@kernel
def totals(past: Scaled, table: Table, alike: Alike) -> tuple[NDArray[np.int32], Doubles]:
    """Sum per neighbour what the history gives it, in an open-addressed table (-1: free place)."""
    found = 0
    for step in range(len(past.rows)):
        row = past.rows[step]
        found += table.sizes[place_of(table, row)] + _alike(alike, row, past.likeness[step])
    size = 64
    while size < min(2 * found, max(len(table.slots), len(alike.rows))):
        size *= 2
    rows, sums = np.full(size, -1, np.int32), np.zeros(size)
    for step in range(len(past.rows)):
        row = past.rows[step]
        at = place_of(table, row)
        for near in range(table.sizes[at]):
            place = _place(rows, table.rows[at, near])
            sums[place] += past.pairs[step] * table.weights[at, near]
        for near in range(_alike(alike, row, past.likeness[step])):
            place = _place(rows, alike.rows[row, near])
            sums[place] += past.likeness[step] * alike.cosines[row, near]
    return rows, sums


@kernel
def told(rows: NDArray[np.integer[Any]], table: Table, numbers: Doubles) -> Doubles:
    """What some items have of one of the table's numbers."""
    found = np.empty(len(rows))
    for at in range(len(rows)):
        ahead(table.slots, min(rows[min(at + 2 * SOON, len(rows) - 1)], len(table.slots) - 1))
        ahead(numbers, place_of(table, rows[min(at + SOON, len(rows) - 1)]))
        found[at] = numbers[place_of(table, rows[at])]
    return found


@kernel
def _place(rows: NDArray[np.int32], other: int) -> int:
    """Where a neighbour stands in the open-addressed table, from now on."""
    place = other & (len(rows) - 1)
    while rows[place] != other and rows[place] >= 0:
        place = (place + 1) & (len(rows) - 1)
    rows[place] = other
    return int(place)


@kernel
def servable(
    rows: Rows, sums: Doubles, may: NDArray[np.uint8], excluded: Rows
) -> tuple[Rows, Doubles]:
    """What `totals` found and may be proposed, in its order; `excluded` is sorted."""
    sieve = np.zeros(SIEVE, np.bool_)
    for row in excluded:
        sieve[row & (SIEVE - 1)] = True
    out, worth, found = np.empty(len(rows), np.int32), np.empty(len(rows)), 0
    for place in range(len(rows)):
        row = rows[place]
        if row < 0 or row >= len(may) or sums[place] <= 0.0 or may[row] == 0:
            continue
        if sieve[row & (SIEVE - 1)]:
            at = np.searchsorted(excluded, row)
            if at < len(excluded) and excluded[at] == row:
                continue
        out[found], worth[found] = row, sums[place]
        found += 1
    return out[:found].copy(), worth[:found].copy()


@kernel
def everything(past: Scaled, table: Table, alike: Alike, size: int) -> Doubles:
    """(size,): what the history gives to each of the first `size` items."""
    sums = np.zeros(size)
    for step in range(len(past.rows)):
        row = past.rows[step]
        at = place_of(table, row)
        for near in range(table.sizes[at]):
            if table.rows[at, near] < size:
                sums[table.rows[at, near]] += past.pairs[step] * table.weights[at, near]
        for near in range(_alike(alike, row, past.likeness[step])):
            if alike.rows[row, near] < size:
                sums[alike.rows[row, near]] += past.likeness[step] * alike.cosines[row, near]
    return sums


@swift
def parts(past: Scaled, wanted: Rows, table: Table, alike: Alike) -> Doubles:
    """(wanted, history): how much each item of the history gives to each of some distinct rows.

    The neighbours are gone through once for all of them.
    """
    steps, held, sieve = len(past.rows), free(len(wanted)), np.zeros(SIEVE, np.bool_)
    pairs, likeness = np.zeros((2, len(wanted), steps), np.float32)
    for at in range(len(wanted)):
        held[slot(held, wanted, wanted[at])] = at
        sieve[wanted[at] & (SIEVE - 1)] = True
    places = Wanted(wanted, held, sieve)
    for step in range(steps):
        row = past.rows[step]
        at, few = place_of(table, row), _alike(alike, row, past.likeness[step])
        _note(pairs, step, places, (table.rows, table.weights), at, table.sizes[at])
        _note(likeness, step, places, (alike.rows, alike.cosines), row, few)
    found = np.empty((len(wanted), steps))
    for at in range(len(wanted)):
        for step in range(steps):
            both = past.pairs[step] * pairs[at, step] + past.likeness[step] * likeness[at, step]
            found[at, step] = both
    return found


@kernel
def _note(
    given: Floats,
    step: int,
    places: Wanted,
    near: tuple[NDArray[np.int32], Floats],
    row: int,
    count: int,
) -> None:
    """Note what the first `count` neighbours of a row are given, where they are wanted."""
    others, worth = near
    for place in range(count):
        other = others[row, place]
        if places.sieve[other & (SIEVE - 1)]:
            at = places.held[slot(places.held, places.rows, other)]
            if at >= 0:
                given[at, step] += worth[row, place]


@kernel
def shares(
    past: Scaled, wanted: Rows, table: Table, alike: Alike, limit: int
) -> tuple[NDArray[np.int32], Doubles, NDArray[np.int64]]:
    """The `limit` items that give most to each of some distinct rows, most first.

    In shares of what all give; and how many give anything.
    """
    left = parts(past, wanted, table, alike)
    most, counts = min(limit, len(past.rows)), np.empty(len(wanted), np.int64)
    rows, gave = np.empty((len(wanted), most), np.int32), np.empty((len(wanted), most))
    for at in range(len(wanted)):
        total, counts[at] = _most(past, left, at, rows, gave)
        for place in range(counts[at]):
            gave[at, place] /= total
    return rows, gave, counts


@kernel
def _most(
    past: Scaled, left: Doubles, at: int, rows: NDArray[np.int32], gave: Doubles
) -> tuple[float, int]:
    """Fill in those that give most to the row at this place; what all give, and how many do."""
    total = 0.0
    for step in range(left.shape[1]):
        total += left[at, step]
    for place in range(rows.shape[1]):
        best = 0
        for step in range(1, left.shape[1]):
            best = step if left[at, step] > left[at, best] else best
        if left[at, best] <= 0.0:
            return total, place
        rows[at, place], gave[at, place] = past.rows[best], left[at, best]
        left[at, best] = 0.0
    return total, rows.shape[1]

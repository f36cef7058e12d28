"""Reading co-visitation: the compiled loops that add up what a history says of other items.

Each item of the history speaks through the neighbours that were counted and, where that is wanted,
through those that are described like it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Rows
from palate.catalog.alike import Alike
from palate.index.slots import SIEVE
from palate.jit import kernel, swift
from palate.models.covisit_table import Table


class Scaled(NamedTuple):
    """A history, and what its items' neighbours are worth."""

    rows: Rows
    pairs: Doubles
    """(history,): what 1 of an item's counted pairs is worth."""
    likeness: Doubles
    """(history,): what a cosine of 1 with it is worth; 0 where likeness does not count."""


@kernel
def _sized(table: Table, row: int) -> int:
    """How many neighbours were counted; none of an item that the table has not met."""
    return int(table.sizes[row]) if row < len(table.sizes) else 0


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
        found += _sized(table, row) + _alike(alike, row, past.likeness[step])
    size = 64
    while size < min(2 * found, max(len(table.sizes), len(alike.rows))):
        size *= 2
    rows, sums = np.full(size, -1, np.int32), np.zeros(size)
    for step in range(len(past.rows)):
        row = past.rows[step]
        for slot in range(_sized(table, row)):
            place = _place(rows, table.rows[row, slot])
            sums[place] += past.pairs[step] * table.weights[row, slot]
        for slot in range(_alike(alike, row, past.likeness[step])):
            place = _place(rows, alike.rows[row, slot])
            sums[place] += past.likeness[step] * alike.cosines[row, slot]
    return rows, sums


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
        for slot in range(_sized(table, row)):
            if table.rows[row, slot] < size:
                sums[table.rows[row, slot]] += past.pairs[step] * table.weights[row, slot]
        for slot in range(_alike(alike, row, past.likeness[step])):
            if alike.rows[row, slot] < size:
                sums[alike.rows[row, slot]] += past.likeness[step] * alike.cosines[row, slot]
    return sums


@swift
def parts(past: Scaled, wanted: int, table: Table, alike: Alike) -> Doubles:
    """How much each item of the history gives to one neighbour, which a row holds once at most."""
    found = np.zeros(len(past.rows))
    for step in range(len(past.rows)):
        row, weight, cosine = past.rows[step], np.float32(0.0), np.float32(0.0)
        for slot in range(_sized(table, row)):
            weight += (
                table.weights[row, slot] if table.rows[row, slot] == wanted else np.float32(0.0)
            )
        for slot in range(_alike(alike, row, past.likeness[step])):
            same = alike.rows[row, slot] == wanted
            cosine += alike.cosines[row, slot] if same else np.float32(0.0)
        found[step] = past.pairs[step] * weight + past.likeness[step] * cosine
    return found


@kernel
def strongest(
    past: Scaled, wanted: int, table: Table, alike: Alike, limit: int
) -> tuple[Rows, Doubles, float]:
    """The `limit` items that give most to one neighbour, most first; how much, and what all do."""
    left = parts(past, wanted, table, alike)
    total, most = left.sum(), min(limit, len(left))
    rows, gave = np.empty(most, np.int32), np.empty(most)
    for at in range(most):
        best = np.argmax(left)
        if left[best] <= 0.0:
            return rows[:at], gave[:at], total
        rows[at], gave[at] = past.rows[best], left[best]
        left[best] = 0.0
    return rows, gave, total

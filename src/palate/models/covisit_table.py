"""The table behind co-visitation: how it lies in memory, and the compiled loops that fill it.

Each item that anybody took in has a row of neighbours, at its slot (`mapped/projections.py`). Where
counts lose half their worth in a given time, a row is written in the money of its own *epoch*: what
happens later in it counts more (2 per half-life), so that nothing has to be touched for growing
old. When a row passes into a later epoch, all of it is divided by a power of two, which loses
nothing. An epoch hangs on the row's newest event alone, so the numbers do not depend on how the
events were cut into batches.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Rows, Times
from palate.jit import kernel
from palate.mapped.layouts import Column, Layout
from palate.mapped.projections import COUNTED, SLOTS_HELD, slot_in

EPOCH = 32.0
"""Half-lives."""
GIVEN_UP = 4
"""A full row gives up one in so many of its neighbours at once."""
FEW = 6
"""A row that gets more pairs at once is indexed first."""
SHRUNK = 1_024
"""Items whose neighbours are cut down at a time."""
CELL_BYTES = 8
DIGITS = 2_048


class Table(NamedTuple):
    """The arrays that the kernels read and write."""

    slots: Rows
    """(capacity,): where each item's part of all the others lies; 0 is blank."""
    rows: NDArray[np.int32]
    """(slots, neighbours): filled from the left, -1 pads."""
    weights: Floats
    counts: Doubles
    """(slots,): how many users took the item in, n_a; in the money of the epoch, as weights."""
    last: Times
    """(slots,): the newest event that touched the row; 0 where counts do not fade."""
    sizes: NDArray[np.int32]
    """(slots,): how many neighbours are filled."""


class Pairs(NamedTuple):
    """What is to be added, sorted by `rows`; a pair of an item with itself is its own count."""

    rows: Rows
    others: Rows
    weights: Floats
    times: Times


def layout(cells: int, fewest: int, most: int, about: str = "") -> Layout:
    """Arrays that keep at most `most` neighbours an item, fewer past `cells` neighbours in all."""
    neighbours = Column("f4", cells=cells, fewest=fewest, most=most, pool=COUNTED)
    return Layout(
        {
            "slots": Column("i4"),
            "rows": neighbours._replace(dtype="i4", fill=-1),
            "weights": neighbours,
            "counts": Column("f8", pool=COUNTED),
            "last": Column("f8", pool=COUNTED),
            "sizes": Column("i4", pool=COUNTED),
        },
        {"position": "i8", "dirty": "i8", "newest": "f8", SLOTS_HELD: "i8"},
        about,
    )


def pairs_of(
    items: Rows, windows: NDArray[np.int32], times: Times, steps: Floats, capacity: int
) -> Pairs:
    """Every count and pair of these events, sorted by row; within a row in the order of events.

    `steps` (2, window) are the weights of a pair by its distance, forwards and backwards.
    """
    order, others, weights = _spread(items, windows, steps, capacity)
    rows, event = order[0], order[1]
    at = _order(rows)
    return Pairs(rows[at], others[at], weights[at], times[event[at]])


@kernel
def _spread(
    items: Rows, windows: NDArray[np.int32], steps: Floats, capacity: int
) -> tuple[NDArray[np.int32], Rows, Floats]:
    """(2, pairs) rows and events, the other items, the weights."""
    most = len(items) * (1 + 2 * windows.shape[1])
    where, others = np.empty((2, most), np.int32), np.empty(most, np.int32)
    weights, n = np.empty(most, np.float32), 0
    for event in range(len(items)):
        item = items[event]
        where[0, n], where[1, n], others[n], weights[n] = item, event, item, 1.0
        n += 1
        for g in range(windows.shape[1]):
            before = windows[event, g]
            if before < 0 or before >= capacity:
                break
            where[0, n], where[1, n], others[n], weights[n] = before, event, item, steps[0, g]
            n += 1
            where[0, n], where[1, n], others[n], weights[n] = item, event, before, steps[1, g]
            n += 1
    return where[:, :n].copy(), others[:n].copy(), weights[:n].copy()


@kernel
def _order(rows: Rows) -> NDArray[np.int32]:
    """Sort by row, equals in their order: by 11 bits at a time, the lowest first."""
    order = np.arange(len(rows)).astype(np.int32)
    most = rows.max() if len(rows) else 0
    shift = 0
    while most >> shift > 0:
        starts = np.zeros(DIGITS + 1, np.int64)
        for row in rows:
            starts[(row >> shift) % DIGITS + 1] += 1
        starts = np.cumsum(starts)
        sorted_order = np.empty_like(order)
        for place in order:
            digit = (rows[place] >> shift) % DIGITS
            sorted_order[starts[digit]] = place
            starts[digit] += 1
        order = sorted_order
        shift += 11
    return order


@kernel
def epoch(last: float, rate: float) -> float:
    """When the epoch of `last` began, in half-lives; `rate` is half-lives a second, 0 for never."""
    return float(np.floor(last * rate / EPOCH) * EPOCH)


@kernel
def place_of(table: Table, row: int) -> int:
    """Where an item's part lies; one that the table has not met has the blank one."""
    return slot_in(table.slots, row, len(table.sizes))


@kernel
def add(pairs: Pairs, table: Table, rate: float) -> None:
    """Add pairs, row by row, in the money of the epoch that each row is in by then."""
    size = 64
    while size < 2 * table.rows.shape[1]:
        size *= 2
    slots, start = np.empty(size, np.int32), 0
    while start < len(pairs.rows):
        row = pairs.rows[start]
        slot = place_of(table, row)
        begun = _enter(table, slot, pairs.times[start], rate)
        stop = _stretch(pairs, start, begun, rate)
        others, weights = pairs.others[start:stop], pairs.weights[start:stop]
        if rate > 0.0:
            table.last[slot] = max(table.last[slot], pairs.times[start:stop].max())
        worth = np.exp2(pairs.times[start:stop] * rate - begun)
        _weigh(others, weights, worth, table.counts[slot : slot + 1], row)
        used = slots if stop - start > FEW else slots[:0]
        held = table.rows[slot], table.weights[slot]
        table.sizes[slot] = _merge(held, table.sizes[slot], others, weights, used)
        start = stop


@kernel
def _enter(table: Table, slot: int, time: float, rate: float) -> float:
    """Let a row pass into the epoch of `time`, where that is later; returns when it began."""
    before = epoch(table.last[slot], rate)
    after = max(before, epoch(time, rate))
    if after > before:
        table.counts[slot] *= np.exp2(before - after)
        table.weights[slot] *= np.float32(np.exp2(before - after))
    return after


@kernel
def _stretch(pairs: Pairs, start: int, begun: float, rate: float) -> int:
    """End of the pairs from `start` on that are the same row's, and of no later epoch."""
    stop = start + 1
    while stop < len(pairs.rows) and pairs.rows[stop] == pairs.rows[start]:
        if epoch(pairs.times[stop], rate) > begun:
            break
        stop += 1
    return stop


@kernel
def _weigh(others: Rows, weights: Floats, worth: Doubles, count: Doubles, row: int) -> None:
    """Turn weights into the row's money; counts are added at once, and their pairs become -1."""
    for at in range(len(others)):
        if others[at] == row:
            count[0] += worth[at]
            others[at] = -1
        weights[at] *= worth[at]


@kernel
def _merge(
    held: tuple[Rows, Floats], size: int, others: Rows, added: Floats, slots: NDArray[np.int32]
) -> int:
    """Add to one item's neighbours, with `slots` through an index; returns how many there are."""
    rows, weights = held
    _index(rows, size, slots)
    for at in range(len(others)):
        if others[at] < 0:
            continue
        slot = _slot(rows, size, others[at], slots)
        if slot < 0:
            if size == len(rows):
                size = _give_up(rows, weights)
                _index(rows, size, slots)
            slot = size
            rows[slot], weights[slot] = others[at], 0.0
            _remember(rows, slot, slots)
            size += 1
        weights[slot] += added[at]
    return size


@kernel
def _index(rows: Rows, size: int, slots: NDArray[np.int32]) -> None:
    """Note where each neighbour is, in an open-addressed table (or nowhere, where it is empty)."""
    slots[:] = -1
    for slot in range(size if len(slots) else 0):
        _remember(rows, slot, slots)


@kernel
def _remember(rows: Rows, slot: int, slots: NDArray[np.int32]) -> None:
    if len(slots):
        place = rows[slot] & (len(slots) - 1)
        while slots[place] >= 0:
            place = (place + 1) & (len(slots) - 1)
        slots[place] = slot


@kernel
def _slot(rows: Rows, size: int, other: int, slots: NDArray[np.int32]) -> int:
    """Where a neighbour is, -1 for nowhere."""
    if not len(slots):
        for slot in range(size):
            if rows[slot] == other:
                return slot
        return -1
    place = other & (len(slots) - 1)
    while slots[place] >= 0 and rows[slots[place]] != other:
        place = (place + 1) & (len(slots) - 1)
    return int(slots[place])


@kernel
def _give_up(rows: Rows, weights: Floats) -> int:
    """Drop the smallest (the first of equals), some at once so that newcomers get time.

    Returns how many are left.
    """
    leaving = max(len(rows) // GIVEN_UP, 1)
    cut = np.partition(weights, leaving - 1)[leaving - 1]
    equal = leaving - (weights < cut).sum()
    kept = 0
    for slot in range(len(rows)):
        weight = weights[slot]
        if weight == cut:
            equal -= 1
        if weight > cut or (weight == cut and equal < 0):
            rows[kept], weights[kept] = rows[slot], weight
            kept += 1
    rows[kept:] = -1
    weights[kept:] = 0.0
    return kept


def shrink(table: Table, keep: int) -> None:
    """Keep each item's `keep` largest (the first of equals), the largest first."""
    for start in range(0, len(table.sizes), SHRUNK):
        part = slice(start, start + SHRUNK)
        order = np.argsort(-table.weights[part], axis=1, kind="stable")[:, :keep]
        for array in (table.rows, table.weights):
            array[part, :keep] = np.take_along_axis(array[part], order, axis=1)
        np.minimum(table.sizes[part], keep, out=table.sizes[part])
    table.rows[:, keep:] = -1
    table.weights[:, keep:] = 0.0

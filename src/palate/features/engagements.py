"""How often people of each segment and region engaged with items: few numbers of most of them.

Most items of a large catalogue are taken by few people, who come from few places: such an item
keeps its few numbers, each with the column that it is of. One whose numbers become more gets a
place that is as wide as all columns. The numbers are the same either way.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Rows
from palate.jit import ahead, kernel
from palate.mapped.layouts import Column
from palate.mapped.rounding import rounded

FEW = 6
"""Numbers that an item keeps with their columns."""
NEW = 2
"""Numbers that one engagement may add: its segment's and its region's."""
FEW_USED, WIDE_USED = 0, 1
SOON = 6
"""Items between the one that is read and the one whose memory is asked for."""


class Engagements(NamedTuple):
    """Numbers by an item's slot."""

    seats: Rows
    """(slots,): a place in `wide`; where it is negative, one in `few`; 0 where there is nothing."""
    codes: NDArray[np.uint16]
    """(few, FEW): one more than the column of each number; 0 behind the last."""
    few: Floats
    """(few, FEW)."""
    wide: Floats
    """(wide, columns)."""
    used: NDArray[np.int64]
    """(2,): how many places of `few` and of `wide` were given away; the first of each is blank."""


def columns_of(width: int, slots: str) -> dict[str, Column]:
    """The arrays, in pools beside that of the `slots`; a table of so many columns."""
    return {
        "seats": Column("i4", pool=slots),
        "codes": Column("u2", (FEW,), pool="few"),
        "few": Column("f4", (FEW,), pool="few"),
        "wide": Column("f4", (width,), pool="wide"),
        "used": Column("i8", rows=2),
    }


@kernel
def wanted(held: Engagements, slots: Rows, times: NDArray[np.int64]) -> tuple[int, int]:
    """Most places of `few` and `wide` in use once distinct slots are engaged with so many times."""
    few, wide = held.used[FEW_USED], held.used[WIDE_USED]
    for n in range(len(slots)):
        seat = held.seats[slots[n]]
        if seat > 0:
            continue
        few += seat == 0
        size = NEW * times[n]
        for at in range(FEW):
            size += held.codes[-seat, at] != 0
        wide += size > FEW
    return few, wide


@kernel
def fade(held: Engagements, slot: int, factor: float, time: float) -> None:
    """Let an item's numbers lose worth until `time`."""
    seat = held.seats[slot]
    row = held.wide[seat] if seat > 0 else held.few[-seat]
    for at in range(len(row)):
        if row[at] != 0.0:
            row[at] = rounded(np.float64(row[at]) * factor, time)


@kernel
def add(held: Engagements, slot: int, column: int, weight: float, time: float) -> None:
    """Add to an item's number; there have to be places for it (`wanted`)."""
    at = _place(held, slot, column)
    seat = held.seats[slot]
    row = held.wide[seat] if seat > 0 else held.few[-seat]
    row[at] = rounded(np.float64(row[at]) + weight, time)


@kernel
def _place(held: Engagements, slot: int, column: int) -> int:
    """Where an item's number stands in its seat, which it gets where it has none."""
    if held.seats[slot] == 0:
        held.used[FEW_USED] += 1
        held.seats[slot] = -held.used[FEW_USED]
    seat = held.seats[slot]
    if seat > 0:
        return column
    for at in range(FEW):
        if held.codes[-seat, at] == 0:
            held.codes[-seat, at] = column + 1
        if held.codes[-seat, at] == column + 1:
            return at
    _widen(held, slot)
    return column


@kernel
def _widen(held: Engagements, slot: int) -> None:
    """Give an item a place for all columns; its old one stays empty until all is read anew."""
    old, new = -held.seats[slot], held.used[WIDE_USED] + 1
    for at in range(FEW):
        if held.codes[old, at] != 0:
            held.wide[new, held.codes[old, at] - 1] = held.few[old, at]
    held.used[WIDE_USED] = new
    held.seats[slot] = new
    held.codes[old] = 0
    held.few[old] = 0.0


@kernel
def put(held: Engagements, slot: int, numbers: Floats) -> None:
    """Set all of an item's numbers; there have to be places for them."""
    seat = held.seats[slot]
    if seat < 0:
        held.codes[-seat] = 0
        held.few[-seat] = 0.0
    if seat <= 0 and np.count_nonzero(numbers) > FEW:
        seat = held.used[WIDE_USED] = held.used[WIDE_USED] + 1
        held.seats[slot] = seat
    if seat > 0:
        held.wide[seat] = numbers
        return
    for column in range(len(numbers)):
        if numbers[column] != 0.0:
            at = _place(held, slot, column)
            held.few[-held.seats[slot], at] = numbers[column]


@kernel
def numbers(held: Engagements, slots: Rows, column: int) -> Floats:
    """One of the numbers of some items."""
    codes, few, flat, width = held.codes, held.few, held.wide.reshape(-1), held.wide.shape[1]
    found, places = np.zeros(len(slots), np.float32), _seats(held, slots)
    for n in range(len(slots)):
        seat, soon = places[n], places[min(n + SOON, len(slots) - 1)]
        if soon > 0:
            ahead(flat, soon * width + column)
        else:
            ahead(codes, -soon)
            ahead(few, -soon)
        if seat > 0:
            found[n] = flat[seat * width + column]
        for at in range(FEW if seat < 0 else 0):
            if codes[-seat, at] == column + 1:
                found[n] = few[-seat, at]
    return found


@kernel
def _seats(held: Engagements, slots: Rows) -> Rows:
    """Where some items' numbers lie; where a damaged file points away, nowhere."""
    seats, places = held.seats, np.zeros(len(slots), np.int32)
    below, above = -len(held.few), len(held.wide)
    for n in range(len(slots)):
        ahead(seats, slots[min(n + SOON, len(slots) - 1)])
        seat = seats[slots[n]]
        if below < seat < above:
            places[n] = seat
    return places


@kernel
def spread(held: Engagements, slot: int, into: Floats) -> None:
    """All of an item's numbers, by column."""
    seat = seated(held, slot)
    for column in range(len(into)):
        into[column] = held.wide[max(seat, 0), column]
    for at in range(FEW if seat < 0 else 0):
        column = held.codes[-seat, at] - 1
        if 0 <= column < len(into):
            into[column] = held.few[-seat, at]


@kernel
def spreads(held: Engagements, slots: Rows) -> Floats:
    """(slots, columns): all numbers of some items."""
    found = np.empty((len(slots), held.wide.shape[1]), np.float32)
    for n in range(len(slots)):
        spread(held, slots[n], found[n])
    return found


@kernel
def seated(held: Engagements, slot: int) -> int:
    """An item's seat; where a damaged file points away, none."""
    seat = int(held.seats[slot])
    return seat if -len(held.few) < seat < len(held.wide) else 0

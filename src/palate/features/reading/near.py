"""What history and covisit know of the candidates: each is looked up once, not once a pair."""

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Rows, Times
from palate.features.reading.shapes import LATELY, SOON, Memory, Met, Person, When, World
from palate.jit import ahead, kernel
from palate.mapped.projections import slot_in

DIRECT = 1 << 16
"""Up to so many rows have a slot of their own in the directory."""
FEWEST = 1 << 13
EPOCH = 32.0
"""Half-lives in which co-visitation counts in the same money."""


@kernel
def meet(rows: Rows, person: Person, world: World, memory: Memory, when: When) -> Met:
    """Walk through the neighbours of the last items, the shown and the seen."""
    places = _directory(rows, len(world.published))
    together = np.zeros((len(rows), LATELY), np.float32)
    scales = np.zeros(LATELY, np.float32)
    for k in range(len(memory.lately)):
        row = person.history[memory.lately[k]]
        if 0 <= row < len(world.pair_slots):
            slot = slot_in(world.pair_slots, row, len(world.pair_sizes))
            _note(together, k, (rows, places), world, slot)
            fade = faded(world.pair_last, slot, when)
            scales[k] = fade * (world.pair_counts[slot] * fade + 2.0) ** -when.alpha
    _damp(together, rows, world, when, scales)
    shown, since = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.float32)
    for at in range(len(person.shown)):
        place = _place(places, rows, person.shown[at])
        if place >= 0:
            shown[place] += 1.0
            since[place] = max(when.now - person.shown_times[at], 0.0)
    signals = np.zeros(len(rows), np.uint32)
    for at in range(len(person.seen)):
        place = _place(places, rows, person.seen[at])
        if place >= 0:
            signals[place] = person.seen_signals[at]
    return Met(together, shown, since, signals)


@kernel
def _directory(rows: Rows, known: int) -> NDArray[np.int32]:
    """Place of each row among the candidates, -1 for none, by `_slot`.

    A small catalogue's rows have a slot each; those of a large one share slots, and the next free
    one is taken.
    """
    size = FEWEST
    while size < 4 * len(rows) or size < min(known, DIRECT):
        size *= 2
    places = np.full(size, -1, np.int32)
    for place in range(len(rows)):
        at = _slot(size, rows[place])
        while places[at] >= 0 and rows[places[at]] != rows[place]:
            at = (at + 1) & (size - 1)
        places[at] = place
    return places


@kernel
def _slot(size: int, row: int) -> int:
    return (row ^ (row >> 16)) & (size - 1)


@kernel
def _place(places: NDArray[np.int32], rows: Rows, row: int) -> int:
    """Where a row stands among the candidates; -1 for nowhere."""
    at = _slot(len(places), row)
    while places[at] >= 0 and rows[places[at]] != row:
        at = (at + 1) & (len(places) - 1)
    return int(places[at])


@kernel
def _note(
    together: Floats, k: int, directory: tuple[Rows, NDArray[np.int32]], world: World, slot: int
) -> None:
    """Note how much one item is taken in together with its neighbours among the candidates."""
    rows, places = directory
    others, weights, mask = world.pair_rows, world.pair_weights, len(places) - 1
    for near in range(min(world.pair_sizes[slot], others.shape[1])):
        other = others[slot, near]
        at = (other ^ (other >> 16)) & mask
        while places[at] >= 0 and rows[places[at]] != other:
            at = (at + 1) & mask
        if places[at] >= 0:
            together[places[at], k] = weights[slot, near]


@kernel
def _damp(together: Floats, rows: Rows, world: World, when: When, scales: Floats) -> None:
    """Hold both down for their popularity, as covisit does."""
    slots, counts, last = world.pair_slots, world.pair_counts, world.pair_last
    few, end = len(rows) - 1, len(slots) - 1
    for place in range(len(rows)):
        ahead(slots, min(rows[min(place + 2 * SOON, few)], end))
        ahead(counts, slot_in(slots, rows[min(place + SOON, few)], len(counts)))
        slot = slot_in(slots, rows[place], len(counts))
        count = counts[slot] * faded(last, slot, when)
        damping = np.float32(max(count, 1.0) ** -when.beta)
        for k in range(LATELY):
            together[place, k] *= damping * scales[k]


@kernel
def faded(last: Times, slot: int, when: When) -> float:
    """What 1 of an item's co-visitation is worth today; see `models.covisit_table`."""
    if when.fading == 0.0:
        return 1.0
    begun = np.floor(last[slot] * when.fading / EPOCH) * EPOCH
    return float(np.exp2(begun - when.newest))

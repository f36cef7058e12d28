"""What history and covisit know of the candidates: each is looked up once, not once a pair."""

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Rows
from palate.features.reading.past import slot_of
from palate.features.reading.shapes import Memory, Met, Person, When, World
from palate.jit import kernel


@kernel
def meet(rows: Rows, person: Person, world: World, memory: Memory, when: When) -> Met:
    """Walk through the neighbours of the last items, the shown and the seen."""
    keys, places = _directory(rows)
    together = _together(rows, (keys, places), person, world, memory)
    _damp(together, rows, world, when.beta)
    for k in range(len(memory.lately)):
        row = person.history[memory.lately[k]]
        count = world.pair_counts[row] if 0 <= row < len(world.pair_counts) else 0.0
        together[k] *= np.float32((count + 2.0) ** -when.alpha)
    shown, since = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.float32)
    for at in range(len(person.shown)):
        place = places[slot_of(keys, person.shown[at])]
        if place >= 0:
            shown[place] += 1.0
            since[place] = max(when.now - person.shown_times[at], 0.0)
    signals = np.zeros(len(rows), np.uint32)
    for at in range(len(person.seen)):
        place = places[slot_of(keys, person.seen[at])]
        if place >= 0:
            signals[place] = person.seen_signals[at]
    return Met(together, shown, since, signals)


@kernel
def _directory(rows: Rows) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """An open-addressing table of rows, and the place of each among the candidates (-1: none)."""
    size = 16
    while size < 4 * len(rows):
        size *= 2
    keys, places = np.full(size, -1, np.int32), np.full(size, -1, np.int32)
    for place in range(len(rows)):
        slot = slot_of(keys, rows[place])
        keys[slot], places[slot] = rows[place], place
    return keys, places


@kernel
def _together(
    rows: Rows,
    directory: tuple[NDArray[np.int32], NDArray[np.int32]],
    person: Person,
    world: World,
    memory: Memory,
) -> Floats:
    """(lately, n): how much each of the last items is taken in together with each candidate."""
    keys, places = directory
    together = np.zeros((len(memory.lately), len(rows)), np.float32)
    for k in range(len(memory.lately)):
        row = person.history[memory.lately[k]]
        if not 0 <= row < len(world.pair_sizes):
            continue
        for slot in range(min(world.pair_sizes[row], world.pair_rows.shape[1])):
            place = places[slot_of(keys, world.pair_rows[row, slot])]
            if place >= 0:
                together[k, place] = world.pair_weights[row, slot]
    return together


@kernel
def _damp(together: Floats, rows: Rows, world: World, beta: float) -> None:
    """Hold candidates down for their popularity, as covisit does."""
    for place in range(len(rows)):
        row = rows[place]
        count = world.pair_counts[row] if 0 <= row < len(world.pair_counts) else 0.0
        damping = np.float32(max(count, 1.0) ** -beta)
        for k in range(len(together)):
            together[k, place] *= damping

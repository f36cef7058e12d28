"""What people took on a site like a real one: few items often, most by few people or by nobody."""

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Rows
from palate.features.engagements import FEW, Engagements, put
from palate.features.folds import COUNTING
from palate.features.items import ItemStates
from palate.jit import kernel
from palate.models.covisit import Covisit

DAY = 86_400.0
CHUNK = 1 << 16
SHOWN = 10
"""Times an item is shown for once that it is taken."""
PEOPLE = 64
"""Of those who took an item, so many are asked where they are from: more have nowhere new."""


def takers(items: int, taken: int, dice: np.random.Generator) -> tuple[Rows, Rows]:
    """How often each item was taken and shown, in no order: by Zipf's law, of `taken` in all."""
    shares = 1.0 / np.arange(1, items + 1)
    expected = taken * shares / shares.sum()
    dice.shuffle(expected)
    each = (dice.poisson(expected), dice.poisson(SHOWN * expected))
    often, shown = (found.astype(np.int32) for found in each)
    return often, shown


def fill_counts(
    states: ItemStates, often: Rows, shown: Rows, dice: np.random.Generator, now: float
) -> None:
    """Counts of what was shown or taken, and where those who took it are from."""
    states.allot(np.flatnonzero((often > 0) | (shown > 0)).astype(np.int32))
    for start in range(0, len(often), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(often)), dtype=np.int32)
        rows = rows[states.slots[rows] > 0]
        slots, count = states.slots[rows], len(rows)
        states.counts[slots] = (often[rows] + shown[rows])[:, None] * dice.random((count, COUNTING))
        states.times[slots] = now - dice.exponential(30 * DAY, count)[:, None]
        numbers = _from(often[rows], states, dice)
        sizes, used = np.count_nonzero(numbers, axis=1), states.engaged.used
        few, wide = ((sizes > 0) & (sizes <= FEW)).sum(), (sizes > FEW).sum()
        states.seat(used[0] + few, used[1] + wide)
        _put(states.engaged, slots, numbers)
    states.stamp(newest=now, position=1)


def _from(often: Rows, states: ItemStates, dice: np.random.Generator) -> Floats:
    """(items, columns): how many of the takers are of each segment and region."""
    columns, first = states.engaged.wide.shape[1], states.first_region
    found = np.zeros((len(often), columns), np.float32)
    who = np.repeat(np.arange(len(often)), np.minimum(often, PEOPLE))
    for codes in (dice.integers(1, first, len(who)), dice.integers(first, columns, len(who))):
        np.add.at(found, (who, codes), np.float32(1.0))
    return found


@kernel
def _put(held: Engagements, slots: Rows, numbers: Floats) -> None:
    for n in range(len(slots)):
        put(held, slots[n], numbers[n])


def fill_pairs(covisit: Covisit, often: Rows, items: int, dice: np.random.Generator) -> None:
    """Neighbours of what was taken: all of the window before and behind each time that it was."""
    covisit.allot(np.flatnonzero(often > 0).astype(np.int32))
    held, most = covisit.table, 2 * covisit.settings.window
    for start in range(0, len(often), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(often)), dtype=np.int32)
        rows = rows[held.slots[rows] > 0]
        slots, shape = held.slots[rows], (len(rows), held.rows.shape[1])
        sizes = np.minimum(most * often[rows], shape[1])
        filled: NDArray[np.bool_] = np.arange(shape[1]) < sizes[:, None]
        held.rows[slots] = np.where(filled, dice.integers(0, items, shape, np.int32), -1)
        held.weights[slots] = np.where(filled, dice.exponential(1.0, shape), 0.0)
        held.counts[slots], held.sizes[slots] = often[rows], sizes

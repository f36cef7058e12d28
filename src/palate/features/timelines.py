"""A user's lists in order of time, oldest first: what is put in, moved and looked up in them."""

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles
from palate.events.kinds import Kind, Signal
from palate.jit import kernel

RATING = int(Kind.RATING)
ENGAGED, TOLD = int(Signal.ENGAGED), int(Signal.TOLD)
NEGATIVE, JUDGED = int(Signal.NEGATIVE), int(Signal.POSITIVE | Signal.NEGATIVE)


@kernel
def last_word(history: Doubles, size: int, item: int) -> int:
    """The signals of the newest act that judged an item; -1 where none is remembered."""
    for at in range(size - 1, -1, -1):
        signal = int(history[at, 4])
        if history[at, 1] == item and (signal & JUDGED != 0 or history[at, 3] == RATING):
            return signal
    return -1


@kernel
def look_back(
    history: Doubles, size: int, item: int, time: float, window: NDArray[np.int32]
) -> None:
    """Fill `window` with the items taken in up to `time`, newest first, each once."""
    filled = 0
    for back in range(size - 1, -1, -1):
        other = np.int32(history[back, 1])
        taken = int(history[back, 4]) & (ENGAGED | TOLD) == ENGAGED
        if history[back, 0] > time or other == item or not taken:
            continue
        known = False
        for at in range(filled):
            known = known or window[at] == other
        if not known:
            window[filled] = other
            filled += 1
            if filled == len(window):
                return


@kernel
def insert(table: Doubles, size: int, entry: Doubles) -> int:
    """Put an entry where its time belongs (after its equals); returns the list's size.

    A full list gives up its oldest entry, which may be this one.
    """
    at = size
    while at > 0 and table[at - 1, 0] > entry[0]:
        at -= 1
    if size < len(table):
        move(table, size, at, -1)
        size += 1
    elif at > 0:
        at -= 1
        move(table, 0, at, 1)
    else:
        return size
    for column in range(table.shape[1]):
        table[at, column] = entry[column]
    return size


@kernel
def move(table: Doubles, place: int, end: int, step: int) -> None:
    """From `place` on to `end`, each takes over the entry `step` further."""
    while place != end:
        for column in range(table.shape[1]):
            table[place, column] = table[place + step, column]
        place += step

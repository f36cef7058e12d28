"""Co-visitation from whole histories at once: the same counts, without a log and a stream."""

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Rows, Times
from palate.models.covisit import Covisit
from palate.settings import CovisitSettings

CHUNK = 50_000
"""Events counted at a time."""


def counted(
    users: NDArray[np.integer], items: Rows, times: Times, settings: CovisitSettings
) -> Covisit:
    """Count what users took in: three arrays side by side, one entry an event, in log order.

    A user's events have to be in order of time among themselves; a repeated item counts once.
    """
    first = _first_times(users, items)
    users, items, times = users[first], items[first].astype(np.int32), times[first]
    table = Covisit.in_memory(settings, int(items.max(initial=0)) + 1)
    windows = windows_of(users, items, settings.window)
    for start in range(0, len(items), CHUNK):
        part = slice(start, start + CHUNK)
        table.fold(items[part], windows[part], times[part].astype(np.float64))
    return table


def windows_of(users: NDArray[np.integer], items: Rows, window: int) -> NDArray[np.int32]:
    """(n, window): what the same user had taken in before each event, newest first, -1 padded."""
    order = np.argsort(users, kind="stable")
    whose, sorted_items = users[order], items[order]
    found = np.full((len(items), window), -1, np.int32)
    for back in range(1, min(window, len(items) - 1) + 1):
        same = np.flatnonzero(whose[back:] == whose[:-back])
        found[order[same + back], back - 1] = sorted_items[same]
    return found


def _first_times(users: NDArray[np.integer], items: Rows) -> NDArray[np.intp]:
    """Places of the events in which somebody took an item in for the first time, in order."""
    order = np.lexsort((items, users))
    new = np.ones(len(order), np.bool_)
    new[1:] = (np.diff(users[order]) != 0) | (np.diff(items[order]) != 0)
    return np.sort(order[new])

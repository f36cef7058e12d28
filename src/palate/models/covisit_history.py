"""Co-visitation from whole histories at once: the same counts, without a log and a stream."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Rows, Times
from palate.events.batch import EventBatch, people
from palate.events.kinds import Signal
from palate.features.kernel import BEYOND_SHOWN, Found, Users, note
from palate.features.users import SHAPES
from palate.jit import kernel
from palate.models.covisit import Covisit
from palate.settings import CovisitSettings
from palate.settings_loop import StreamingSettings

CHUNK = 50_000
"""Events counted at a time."""
SEEN = StreamingSettings().seen_limit
NO_KIND, NO_VALUE = 0, float("nan")


class Acts(NamedTuple):
    """What people did with items beyond being shown them: four arrays side by side, in log order.

    Repetitions and dislikes belong here, too: they say how far back the rest lies.
    """

    users: NDArray[np.integer]
    items: Rows
    times: Times
    signals: NDArray[np.uint8]

    @classmethod
    def of(cls, batch: EventBatch, which: NDArray[np.bool_]) -> Self:
        """The acts among the events at `which`; a claimed session is the user's from its start."""
        acts = which & (batch.item >= 0) & (batch.signal & BEYOND_SHOWN != 0)
        return cls(people(batch)[acts], batch.item[acts], batch.time[acts], batch.signal[acts])

    @classmethod
    def taking(cls, users: NDArray[np.integer], items: Rows, times: Times) -> Self:
        """Where all that is known of a history is what was taken."""
        return cls(users, items, times, np.full(len(items), Signal.ENGAGED, np.uint8))

    def take(self, which: NDArray[np.integer]) -> "Acts":
        """Those at some places."""
        return Acts(self.users[which], self.items[which], self.times[which], self.signals[which])


def counted(acts: Acts, settings: CovisitSettings, seen_limit: int = SEEN) -> Covisit:
    """Count what users took in, each item when they first did."""
    table = Covisit.in_memory(settings, int(acts.items.max(initial=0)) + 1)
    first, windows = firsts(acts, settings.window, seen_limit)
    for start in range(0, len(first), CHUNK):
        part = first[start : start + CHUNK]
        items, times = acts.items[part].astype(np.int32), acts.times[part].astype(np.float64)
        table.fold(items, windows[part], times)
    return table


def firsts(
    acts: Acts, window: int, seen_limit: int = SEEN
) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Places of the acts that took something in for the first time, and the windows of all acts.

    (n, window): what the same user had taken in before, the latest first, -1 padded; filled at
    the first times. The fold of the stream finds the same, for it is its own step that is asked
    here, for one user after the other.
    """
    order = np.argsort(acts.users, kind="stable")
    _, sizes = np.unique(acts.users, return_counts=True)
    ends = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    found = Found(np.zeros(len(order), np.uint8), np.full((len(order), window), -1, np.int32))
    columns = (acts.items, acts.times.astype(np.float64), acts.signals)
    _walk((order, ends), columns, _somebody(int(sizes.max(initial=0))), seen_limit, found)
    return np.flatnonzero(found.first), found.window


def _somebody(acts: int) -> Users:
    """Room for one user who did so much."""
    arrays = {name: np.zeros((1, *shape), dtype) for name, (dtype, shape) in SHAPES.items()}
    room = np.zeros(acts + 1, np.int32), np.zeros(acts + 1, np.uint32)
    return Users(**arrays, seen=room[0], seen_signals=room[1])


@kernel
def _walk(
    cut: tuple[NDArray[np.int64], NDArray[np.int64]],
    columns: tuple[Rows, Times, NDArray[np.uint8]],
    somebody: Users,
    seen_limit: int,
    found: Found,
) -> None:
    order, ends = cut
    items, times, signals = columns
    for user in range(len(ends) - 1):
        somebody.sizes[0] = 0
        somebody.seen_at[0] = 0
        for at in order[ends[user] : ends[user + 1]]:
            event = (NO_KIND, signals[at], NO_VALUE, times[at])
            found.first[at] = note(somebody, 0, items[at], event, seen_limit, found.window[at])

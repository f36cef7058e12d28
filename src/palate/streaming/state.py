"""The whole state that the log leads to, in working form: live and replayed by the same code."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Mask, Rows
from palate.errors import Problem
from palate.events.batch import EventBatch, RowsOf
from palate.events.kinds import Event, Kind, Signal
from palate.events.protocol import Logged
from palate.features.counting import Items
from palate.features.folds import ACTED, ITEM_FOLDS, USER_FOLDS, table_of
from palate.features.items import ItemStates
from palate.features.kernel import Batch, Found, Rules, fold
from palate.features.online.protocol import StateChange
from palate.features.users import UserTable, slots_of
from palate.models.covisit import Covisit
from palate.settings_loop import StreamingSettings

MINUTE = 60.0
NO_ROWS: Rows = np.empty(0, np.int32)


class Touched(NamedTuple):
    """What a batch changed."""

    users: NDArray[np.uint64]
    items: Rows
    covisit: Rows


class Refused(NamedTuple):
    """An event that cannot be folded, and why. It is left out, live as in replay."""

    logged: Logged
    problem: Problem


@dataclass(slots=True)
class LiveState:
    """Users, item counters and co-visitation, folded together."""

    settings: StreamingSettings
    states: ItemStates
    covisit: Covisit
    users: UserTable

    def apply(self, batch: EventBatch) -> Touched:
        """Fold a batch in log order; every user in it must be loaded (or new)."""
        if not len(batch):
            return Touched(np.empty(0, np.uint64), NO_ROWS, NO_ROWS)
        items = batch.item[batch.item >= 0]
        if len(items):
            self.states.grow(int(items.max()) + 1)
        # whoever claims a session in this batch is in it; whose it was before may not be
        users = np.union1d(actors(batch), self.users.owners(actors(batch)))
        found = self._fold(batch)
        first = found.first == 1
        covisit = self.covisit.fold(batch.item[first], found.window[first], batch.time[first])
        counted = _counted(batch)
        acts = batch.time[counted & (batch.signal & np.uint8(ACTED) != 0)]
        if len(acts):
            self.states.stamp(newest=max(self.states.newest, float(acts.max())))
        return Touched(users, np.unique(batch.item[counted]), covisit)

    def change(self, touched: Touched, position: int) -> StateChange:
        """What a fold changed, as the online store is told of it."""
        return StateChange(
            position,
            {key: self.users.pack(key) for key in touched.users.tolist()},
            self.states.packed(touched.items),
            {row: self.covisit.pack(row) for row in touched.covisit.tolist()},
        )

    def _fold(self, batch: EventBatch) -> Found:
        acting, joined = slots_of(self.users, batch)
        self.users.reserve(acting, joined)
        window = np.full((len(batch), self.covisit.settings.window), -1, np.int32)
        found = Found(np.zeros(len(batch), np.uint8), window)
        rules = Rules(
            table_of(USER_FOLDS),
            table_of(ITEM_FOLDS),
            self.settings.session_gap_minutes * MINUTE,
            self.settings.seen_limit,
        )
        events = Batch(
            np.ascontiguousarray(batch.kind),
            np.ascontiguousarray(batch.signal),
            acting,
            joined,
            np.ascontiguousarray(batch.item),
            np.ascontiguousarray(batch.time),
            np.ascontiguousarray(batch.value),
            np.ascontiguousarray(batch.about),
        )
        counted = _counted(batch)
        engaged = counted & (batch.signal & np.uint8(Signal.ENGAGED) != 0)
        states = self.states
        states.make_room(batch.item[counted], batch.item[engaged])
        items = Items(states.slots, states.counts, states.times, states.engaged)
        fold(events, self.users.columns(), items, rules, found)
        return found


def _counted(batch: EventBatch) -> Mask:
    """Events that let an item's numbers grow."""
    told = batch.signal & np.uint8(Signal.TOLD) != 0
    counted: Mask = (batch.item >= 0) & (batch.signal != 0) & ~told
    return counted


def actors(batch: EventBatch) -> NDArray[np.uint64]:
    """Keys whose records a batch may change: those who acted, and sessions that were joined."""
    return np.unique(np.concatenate((batch.user, batch.session[batch.session != 0])))


def encode(logged: Sequence[Logged], rows_of: RowsOf) -> tuple[EventBatch, list[Refused]]:
    """Turn what the log gave into columns, without the events that have no place there."""
    kept, refused = [], []
    for entry in logged:
        problem = unfit(entry.event)
        if problem:
            refused.append(Refused(entry, problem))
        else:
            kept.append(entry)
    return EventBatch.encode(kept, rows_of), refused


LARGEST = float(np.finfo(np.float32).max)
FURTHEST = 1e11
"""Seconds: some 3,000 years to either side of 1970."""
LAST_PLACE = 32_767


def unfit(event: Event) -> Problem | None:
    """Why an event can have no part in anything; None where it can."""
    if event.kind is Kind.UNREADABLE:
        return Problem("", str(event.properties.get("problem", "it does not read back")))
    if not -FURTHEST < event.time < FURTHEST:
        return Problem("/time", f"{event.time!r} is not a time; send seconds since the epoch")
    if event.value is not None and not -LARGEST <= event.value <= LARGEST:
        return Problem("/value", f"{event.value!r} is not a finite number")
    places = [event.position, *(shown.position for shown in event.items)]
    if not all(0 <= place <= LAST_PLACE for place in places):
        return Problem("/position", f"a position is from 1 to {LAST_PLACE}")
    if not event.user_id and not event.session_id:
        return Problem("/user_id", "nobody did this; send user_id or session_id")
    return None

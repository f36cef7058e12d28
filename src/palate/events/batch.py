"""Events as columns: what the folds read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Keys, Mask, Rows, Times
from palate.catalog.item import creator_key
from palate.catalog.user import session_key, user_key
from palate.events.kinds import Event, Kind, Signal, signals_of
from palate.events.protocol import Logged

RowsOf: TypeAlias = Callable[[Sequence[str]], Rows]
"""Rows of item ids; gives unknown ids a row."""


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events in log order, one column each; an impression of n items is n rows.

    What became visible of a page is no event of the folds: it has no row.
    """

    position: NDArray[np.int64]
    kind: NDArray[np.uint8]
    signal: NDArray[np.uint8]
    user: Keys
    """Who did it: the user's key, or the session's where there is no user."""
    session: Keys
    """The session's key where an event names user *and* session, so both are one person; else 0."""
    item: Rows
    """-1 where the event is not about an item."""
    time: Times
    value: Floats
    """NaN where not given."""
    place: NDArray[np.int16]
    """Position on the surface, from 1; 0 where unknown."""
    about: NDArray[np.int64]
    """Whom a follow, an unfollow or a hide is about: the creator's key, or (not of a hide) -1 - row
    of an item of theirs; 0 of all else."""

    def __len__(self) -> int:
        return len(self.position)

    @property
    def engaged(self) -> Mask:
        """Where somebody took an item in; what they only said they like is none of these."""
        done = (self.signal & (Signal.ENGAGED | Signal.TOLD)) == Signal.ENGAGED
        return np.asarray(done & (self.item >= 0))

    def take(self, which: slice | NDArray[np.intp] | NDArray[np.bool_]) -> "EventBatch":
        """The same columns, fewer rows."""
        return EventBatch(*(getattr(self, f.name)[which] for f in fields(self)))

    @classmethod
    def concat(cls, parts: Sequence["EventBatch"]) -> "EventBatch":
        """One batch after the other."""
        if not parts:
            return cls.encode([], lambda _: np.empty(0, np.int32))
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    @classmethod
    def encode(cls, logged: Sequence[Logged], rows_of: RowsOf) -> Self:
        """Turn what the log gave into columns."""
        flat = [entry for each in logged for entry in _flatten(each)]
        ids = sorted({item for *_, item, _ in flat if item})
        row = dict(zip(ids, rows_of(ids).tolist(), strict=True))
        events = [each.event for each, _, _ in flat]
        who = _Keys()
        return cls(
            np.array([each.position for each, _, _ in flat], np.int64),
            np.array([e.kind for e in events], np.uint8),
            np.array([signals_of(e.kind, e.value) for e in events], np.uint8),
            np.array([who.actor(e) for e in events], np.uint64),
            np.array([who.joined(e) for e in events], np.uint64),
            np.array([row.get(item, -1) for _, item, _ in flat], np.int32),
            np.array([e.time for e in events], np.float64),
            np.array([np.nan if e.value is None else e.value for e in events], np.float32),
            np.array([place for _, _, place in flat], np.int16),
            np.array([_about(each.event, row.get(item, -1)) for each, item, _ in flat], np.int64),
        )


def people(batch: EventBatch) -> Keys:
    """(events,): who did it, a session that became a user's counted as that user.

    Of several users the one who claimed it last before the event; before all claims, the first.
    """
    claims = np.flatnonzero(batch.session > 0)
    if not len(claims):
        return batch.user
    sessions, which = np.unique(batch.session[claims], return_inverse=True)
    # session and place in one number, so that one search finds the last claim before an event
    span = len(batch) + 1
    order = np.argsort(which, kind="stable")
    told, owners = (which * span + claims)[order], batch.user[claims][order]
    found = np.minimum(np.searchsorted(sessions, batch.user), len(sessions) - 1)
    last = np.searchsorted(told, found * span + np.arange(len(batch)), side="right") - 1
    first = np.searchsorted(told, found * span)
    whose: Keys = np.where(
        sessions[found] == batch.user, owners[np.maximum(last, first)], batch.user
    )
    return whose


def _flatten(logged: Logged) -> list[tuple[Logged, str, int]]:
    event = logged.event
    if event.reports:
        return []
    if event.kind is Kind.IMPRESSION and event.items:
        return [(logged, shown.item_id, shown.position) for shown in event.items]
    return [(logged, event.item_id, event.position)]


def _about(event: Event, row: int) -> int:
    if event.kind not in {Kind.FOLLOW, Kind.UNFOLLOW, Kind.HIDE}:
        return 0
    creator = event.properties.get("creator_id")
    if creator and isinstance(creator, str):
        return creator_key(creator)
    return -1 - row if row >= 0 and event.kind is not Kind.HIDE else 0


class _Keys:
    """Hashes each id once a batch."""

    def __init__(self) -> None:
        self._users: dict[str, int] = {}
        self._sessions: dict[str, int] = {}

    def actor(self, event: Event) -> int:
        return self._user(event.user_id) if event.user_id else self._session(event.session_id)

    def joined(self, event: Event) -> int:
        return self._session(event.session_id) if event.user_id and event.session_id else 0

    def _user(self, name: str) -> int:
        if name not in self._users:
            self._users[name] = user_key(name)
        return self._users[name]

    def _session(self, name: str) -> int:
        if name not in self._sessions:
            self._sessions[name] = session_key(name)
        return self._sessions[name]

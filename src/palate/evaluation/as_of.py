"""The site as it was: its log and catalogue, read-only and blind to what came later.

Of the log only columns are held; whoever wants its events reads them again where they are.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, NoReturn, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Mask, Rows
from palate.catalog.item import Item
from palate.catalog.protocol import ItemCatalog, ItemChange, read_catalog
from palate.errors import Conflict
from palate.events.batch import EventBatch
from palate.events.kinds import Event, Kind, Signal
from palate.events.protocol import Appended, EventLog, Logged, Renamed, Then, Traces, read_log
from palate.streaming.state import encode

CHUNK = 20_000


@dataclass(frozen=True, slots=True)
class Shelf:
    """A site's catalogue, and what is on its shelf today.

    What the catalogue does not hold has no row here, whether or not a training gave it one.
    """

    items: ItemCatalog
    listed: Mask
    """(rows,): where there is an item."""
    shown: Mask
    """(rows,): where there is one that is not hidden, so that anybody could be shown it."""

    @classmethod
    def of(cls, items: ItemCatalog) -> Self:
        """Read a catalogue."""
        found: dict[int, Item | None] = {}
        for changes in read_catalog(items):
            found |= {each.row: each.item for each in changes}
        both = np.zeros((2, max(found, default=-1) + 1), np.bool_)
        for row, item in found.items():
            both[:, row] = item is not None, item is not None and not item.hidden
        return cls(items, both[0], both[1])

    def rows(self, item_ids: Sequence[str]) -> Rows:
        """Rows of ids; -1 of what is not listed."""
        rows = self.items.rows(item_ids, create=False)
        there = np.append(self.listed, False)
        known = there[np.where((rows >= 0) & (rows < len(self.listed)), rows, -1)]
        return np.where(known, rows, -1).astype(np.int32)

    def left_out(self, batch: EventBatch) -> int:
        """How many events tell that somebody took in what nobody can be shown."""
        took = (batch.signal & (Signal.ENGAGED | Signal.TOLD)) == Signal.ENGAGED
        there = np.append(self.shown, False)[batch.item]
        return len(np.unique(batch.position[took & ~there]))


def read_all(
    log: EventLog, shelf: Shelf, progress: Callable[[float], None]
) -> tuple[EventBatch, int]:
    """Read the whole log, in log order, as columns; and how many events it holds."""
    parts, read, total = [], 0, max(log.count(), 1)
    for part in read_log(log):
        parts.append(encode(part, shelf.rows)[0])
        read += len(part)
        progress(min(read / total, 1.0))
    return EventBatch.concat(parts), read


class Retold(NamedTuple):
    """Some of a log's events, numbered anew from 1."""

    batch: EventBatch
    origin: NDArray[np.int64]
    """(events,): the position in the site's log of each."""
    profiles: int
    """So many of them are profiles; these come first."""
    begun: float
    """Time of the first event that is none."""

    def chunks(self) -> Iterator[EventBatch]:
        """A part of the columns at a time."""
        for start in range(0, len(self.batch), CHUNK):
            yield self.batch.take(slice(start, start + CHUNK))


def retold(batch: EventBatch, kept: Mask, shifts: Doubles | None = None) -> Retold:
    """Tell the events at the places `kept` again.

    Profiles come first, at the time of the first event: a site knows them when somebody signs up,
    not when the operator imports a file. `shifts` (events,) moves them in time, in seconds.
    """
    profile = batch.kind == Kind.PROFILE
    profiles, acts = np.flatnonzero(kept & profile), np.flatnonzero(kept & ~profile)
    again = batch.take(np.concatenate((profiles, acts)))
    time = batch.time if shifts is None else batch.time + shifts
    begun = float(time[acts].min()) if len(acts) else 0.0
    times = np.concatenate((np.minimum(batch.time[profiles], begun), time[acts]))
    new = np.diff(again.position, prepend=-1) != 0
    told = replace(again, position=np.cumsum(new), time=times)
    return Retold(told, again.position[new], len(np.unique(batch.position[profiles])), begun)


@dataclass(frozen=True, slots=True)
class PastLog:
    """An event log that has ended: positions are 1…n. Its events are read from the site's log."""

    log: EventLog
    told: Retold

    def append(self, events: Sequence[Event], received: float) -> Appended:
        _refuse()

    def append_all(self, batches: Sequence[Sequence[Event]], received: float) -> list[Appended]:
        _refuse()

    def read(self, after: int, limit: int) -> list[Logged]:
        origin, profiles = self.told.origin[after : after + limit], self.told.profiles - after
        both = (origin[: max(profiles, 0)], origin[max(profiles, 0) :])
        found = (event for positions in both for event in _events(self.log, positions))
        return [self._as_told(at, event) for at, event in enumerate(found, start=after + 1)]

    def _as_told(self, position: int, event: Event) -> Logged:
        if position <= self.told.profiles:
            event = msgspec.structs.replace(event, time=min(event.time, self.told.begun))
        return Logged(position, event.time, event)

    def end(self) -> int:
        return len(self.told.origin)

    def count(self) -> int:
        return len(self.told.origin)

    def announce(self, user_id: str, then: Then) -> Traces:
        _refuse()

    def pseudonymise(self, user_id: str, pseudonym: str, until: int) -> Renamed:
        _refuse()

    def forgets(self) -> list[tuple[str, str]]:
        _refuse()

    def close(self) -> None:
        """Nothing is held open."""


@dataclass(frozen=True, slots=True)
class ItemsAsOf:
    """A site's catalogue without what only the future tells, and with every item a candidate.

    Publication dates after `moment` and all expiry dates are left out, and what is then undated is
    not taken for new (`ItemColumns.undated_is_new`); left out are regions and age, too,
    for a question asks for a history, not for a person in a place. Hidden stays hidden.
    """

    shelf: Shelf
    moment: float

    def put(self, items: Sequence[Item]) -> int:
        _refuse()

    def find(self, item_ids: Sequence[str]) -> list[Item | None]:
        return [item and self._as_of(item) for item in self.shelf.items.find(item_ids)]

    def edit(self, item_id: str, change: Callable[[Item], Item]) -> Item | None:
        _refuse()

    def remove(self, item_ids: Sequence[str]) -> int:
        _refuse()

    def rows(self, item_ids: Sequence[str], *, create: bool) -> Rows:
        """Never gives a row, whatever is asked: the catalogue is the site's."""
        return self.shelf.rows(item_ids)

    def ids(self, rows: Rows) -> list[str]:
        return self.shelf.items.ids(rows)

    def changes(self, after: int, limit: int) -> list[ItemChange]:
        return [
            change._replace(item=change.item and self._as_of(change.item))
            for change in self.shelf.items.changes(after, limit)
        ]

    def counts(self) -> tuple[int, int]:
        return int(self.shelf.listed.sum()), len(self.shelf.listed)

    def _as_of(self, item: Item) -> Item:
        published = item.published_at
        if published is not None and published > self.moment:
            published = None
        return msgspec.structs.replace(
            item, published_at=published, expires_at=None, regions=(), min_age=0
        )


def _events(log: EventLog, positions: NDArray[np.int64]) -> Iterator[Event]:
    """The events at some positions of a log, which grow."""
    done = 0
    while done < len(positions):
        part = log.read(int(positions[done]) - 1, CHUNK)
        held = np.array([each.position for each in part], np.int64)
        upto = int(np.searchsorted(positions, held[-1], side="right")) if part else len(positions)
        places = np.searchsorted(held, positions[done:upto])
        yield from (part[at].event for at in places.tolist())
        done = upto


def _refuse() -> NoReturn:
    raise Conflict("an evaluation only reads the site")

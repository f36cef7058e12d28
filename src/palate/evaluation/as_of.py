"""The site as it was: its log and catalogue, read-only and blind to what came later."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

import msgspec

from palate.arrays import Rows
from palate.catalog.item import Item
from palate.catalog.protocol import ItemCatalog, ItemChange
from palate.errors import Conflict
from palate.events.kinds import Event, Kind
from palate.events.protocol import Appended, EventLog, Logged, Renamed, Then, Traces

CHUNK = 20_000


def read_all(log: EventLog, progress: Callable[[float], None]) -> list[Logged]:
    """Read the whole log, in log order."""
    entries: list[Logged] = []
    total = max(log.count(), 1)
    while part := log.read(entries[-1].position if entries else 0, CHUNK):
        entries += part
        progress(min(len(entries) / total, 1.0))
    return entries


def retold(
    entries: Iterable[Logged], kept: Collection[int], shifts: Mapping[int, float]
) -> list[Logged]:
    """Tell the entries at the positions `kept` again, numbered from 1.

    Profiles come first, at the time of the first event: a site knows them when somebody signs up,
    not when the operator imports a file. `shifts` moves entries in time, by position, in seconds.
    """
    past = [entry for entry in entries if entry.position in kept]
    acts = [
        _moved(entry.event, shifts.get(entry.position, 0.0))
        for entry in past
        if entry.event.kind is not Kind.PROFILE
    ]
    first = min((event.time for event in acts), default=0.0)
    profiles = [
        msgspec.structs.replace(entry.event, time=min(entry.event.time, first))
        for entry in past
        if entry.event.kind is Kind.PROFILE
    ]
    told = enumerate([*profiles, *acts], start=1)
    return [Logged(position, event.time, event) for position, event in told]


def _moved(event: Event, seconds: float) -> Event:
    return msgspec.structs.replace(event, time=event.time + seconds) if seconds else event


@dataclass(frozen=True, slots=True)
class PastLog:
    """An event log that has ended: positions are 1…n."""

    entries: Sequence[Logged]

    def append(self, events: Sequence[Event], received: float) -> Appended:
        _refuse()

    def append_all(self, batches: Sequence[Sequence[Event]], received: float) -> list[Appended]:
        _refuse()

    def read(self, after: int, limit: int) -> list[Logged]:
        return list(self.entries[after : after + limit])

    def end(self) -> int:
        return len(self.entries)

    def count(self) -> int:
        return len(self.entries)

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

    catalogue: ItemCatalog
    moment: float

    def put(self, items: Sequence[Item]) -> int:
        _refuse()

    def find(self, item_ids: Sequence[str]) -> list[Item | None]:
        return [item and self._as_of(item) for item in self.catalogue.find(item_ids)]

    def edit(self, item_id: str, change: Callable[[Item], Item]) -> Item | None:
        _refuse()

    def remove(self, item_ids: Sequence[str]) -> int:
        _refuse()

    def rows(self, item_ids: Sequence[str], *, create: bool) -> Rows:
        """Never gives a row, whatever is asked: the catalogue is the site's."""
        return self.catalogue.rows(item_ids, create=False)

    def ids(self, rows: Rows) -> list[str]:
        return self.catalogue.ids(rows)

    def changes(self, after: int, limit: int) -> list[ItemChange]:
        return [
            change._replace(item=change.item and self._as_of(change.item))
            for change in self.catalogue.changes(after, limit)
        ]

    def counts(self) -> tuple[int, int]:
        return self.catalogue.counts()

    def _as_of(self, item: Item) -> Item:
        published = item.published_at
        if published is not None and published > self.moment:
            published = None
        return msgspec.structs.replace(
            item, published_at=published, expires_at=None, regions=(), min_age=0
        )


def _refuse() -> NoReturn:
    raise Conflict("an evaluation only reads the site")

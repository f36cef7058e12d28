"""The promise that the log is enough: build the state anew from it, and compare byte for byte."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import NamedTuple, TypeAlias

import msgspec

from palate.catalog.columns import ItemColumns
from palate.errors import Conflict
from palate.events.batch import RowsOf
from palate.events.protocol import EventLog, read_log
from palate.features.online.protocol import OnlineStore, StateChange, StateTable
from palate.settings import Settings
from palate.streaming.lock import Turn
from palate.streaming.replay import Replay

TABLES: tuple[StateTable, ...] = ("users", "items", "covisit")
TRIES = 5
"""How often the log is told again because somebody was deleted while it was read."""
TORN = "users are deleted faster than the log can be folded; try again later"
NEAR = 2_000
"""Log positions that are folded while the stream worker rests."""
Told: TypeAlias = Callable[[int, int], None]
"""Told (position, end) of the log as it is folded."""


def _untold(position: int, end: int) -> None:
    """Nobody watches."""


class Difference(msgspec.Struct, frozen=True):
    """How a table that is held compares with what the log leads to."""

    records: int
    """How many the log leads to."""
    missing: int
    """Of these, how many are not held."""
    extra: int
    """How many are held that the log does not lead to."""
    different: int
    """How many are held with other bytes."""

    @property
    def equal(self) -> bool:
        return not (self.missing or self.extra or self.different)


class Comparison(NamedTuple):
    """What the log leads to, and how what is held differs from it."""

    whole: StateChange
    """All that the log leads to, at the position that is held."""
    position: int
    """The position that is held."""
    tables: dict[StateTable, Difference]
    since: float
    """When the stream worker began to rest, by `perf_counter`."""

    @property
    def equal(self) -> bool:
        """Whether every record is held as the log leads to it, and no other."""
        held = all(difference.equal for difference in self.tables.values())
        return held and self.whole.position == self.position


@contextmanager
def comparing(
    settings: Settings, log: EventLog, online: OnlineStore, rows_of: RowsOf, told: Told = _untold
) -> Iterator[Comparison]:
    """Fold the log beside a stream worker that goes on; it rests while the comparison is held.

    It rests for what it folded meanwhile, and for the reading of what is held: until this is left,
    `online` may be told to hold the `whole`. Raises Conflict where users are deleted all the while.
    """
    turn = Turn(settings)
    for _ in range(TRIES):
        anew = _Anew(settings, log, rows_of, told)
        anew.overtake(online.position)
        with turn.taken():
            since, position = perf_counter(), online.position()
            anew.follow(position)
            if not anew.torn:
                held = {t: _difference(getattr(anew.whole, t), online.scan(t)) for t in TABLES}
                yield Comparison(anew.whole, position, held, since)
                return
    raise Conflict(TORN)


def compare(
    settings: Settings, log: EventLog, online: OnlineStore, rows_of: RowsOf, told: Told = _untold
) -> Comparison:
    """Fold the log up to the position that `online` shows, and say how that differs."""
    with comparing(settings, log, online, rows_of, told) as found:
        return found


def recount(settings: Settings, log: EventLog, online: OnlineStore, rows_of: RowsOf) -> int:
    """Fold the whole log with these settings and let `online` hold it; returns the position.

    Raises Conflict where users are deleted all the while.
    """
    for _ in range(TRIES):
        forgets, replay = log.forgets(), Replay(settings, ItemColumns.in_memory())
        replay.read(log, rows_of)
        if log.forgets() == forgets:
            online.replace(replay.record())
            return replay.position
    raise Conflict(TORN)


class _Anew:
    """The log told again, with the records it leads to."""

    def __init__(self, settings: Settings, log: EventLog, rows_of: RowsOf, told: Told) -> None:
        self._log, self._rows_of, self._told = log, rows_of, told
        self._replay = Replay(settings, ItemColumns.in_memory())
        self._forgets = log.forgets()
        self._held: dict[StateTable, dict[int, bytes | None]] = {}

    @property
    def torn(self) -> bool:
        """Whether a name left the log meanwhile: part of it was read with it, part without."""
        return self._log.forgets() != self._forgets

    @property
    def whole(self) -> StateChange:
        """All records, as the online store would hold them."""
        return StateChange(self._replay.position, **self._held)

    def overtake(self, position: Callable[[], int]) -> None:
        """Follow somebody who goes on, until they are not far ahead."""
        while not self._held or position() - self._replay.position > NEAR:
            self.follow(position())

    def follow(self, until: int) -> None:
        """Go on up to a position of the log."""
        for entries in read_log(self._log, self._replay.position, until):
            touched = self._replay.fold(entries, self._rows_of)
            if self._held:
                self._take(self._replay.changed(touched))
            self._told(self._replay.position, until)
        if not self._held:
            record = self._replay.record()
            self._held = {table: dict(getattr(record, table)) for table in TABLES}

    def _take(self, change: StateChange) -> None:
        for table, held in self._held.items():
            for key, raw in getattr(change, table).items():
                if raw is None:
                    held.pop(key, None)
                else:
                    held[key] = raw


def _difference(
    rebuilt: Mapping[int, bytes | None], held: Iterator[tuple[int, bytes]]
) -> Difference:
    both = extra = different = 0
    for key, raw in held:
        known = rebuilt.get(key)
        extra += known is None
        both += known is not None
        different += known is not None and known != raw
    return Difference(len(rebuilt), len(rebuilt) - both, extra, different)

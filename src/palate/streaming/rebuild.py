"""The promise that the log is enough: build the state anew from it, and compare byte for byte."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from palate.catalog.columns import ItemColumns
from palate.errors import Conflict
from palate.events.batch import RowsOf
from palate.events.protocol import EventLog
from palate.features.online.protocol import OnlineStore, StateTable
from palate.settings import Settings
from palate.streaming.replay import Replay

TABLES: tuple[StateTable, ...] = ("users", "items", "covisit")
TRIES = 5
"""How often a comparison follows a stream that goes on writing."""


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

    replay: Replay
    """The log, told up to the position that is held."""
    position: int
    """The position that is held."""
    tables: dict[StateTable, Difference]

    @property
    def equal(self) -> bool:
        """Whether every record is held as the log leads to it, and no other."""
        held = all(difference.equal for difference in self.tables.values())
        return held and self.replay.position == self.position


def compare(settings: Settings, log: EventLog, online: OnlineStore, rows_of: RowsOf) -> Comparison:
    """Replay the log up to the position that `online` shows, and compare.

    Follows a stream that writes meanwhile; raises Conflict where it does not come to rest.
    """
    replay = Replay(settings, ItemColumns.in_memory())
    for _ in range(TRIES):
        position = online.position()
        replay.read(log, rows_of, until=position)
        rebuilt = replay.record()
        held = {table: dict(online.scan(table)) for table in TABLES}
        if online.position() == position:
            tables = {t: _difference(getattr(rebuilt, t), held[t]) for t in TABLES}
            return Comparison(replay, position, tables)
    raise Conflict("events come in faster than they can be compared; stop the stream worker first")


def restore(log: EventLog, online: OnlineStore, found: Comparison, rows_of: RowsOf) -> int:
    """Let `online` hold what the whole log leads to; returns the position.

    A crash half-way leaves it empty, from where the stream worker folds the log again.
    """
    return _hold(found.replay, log, online, rows_of)


def recount(settings: Settings, log: EventLog, online: OnlineStore, rows_of: RowsOf) -> int:
    """Fold the whole log with these settings and let `online` hold it; returns the position."""
    return _hold(Replay(settings, ItemColumns.in_memory()), log, online, rows_of)


def _hold(replay: Replay, log: EventLog, online: OnlineStore, rows_of: RowsOf) -> int:
    replay.read(log, rows_of)
    online.clear()
    online.commit(replay.record())
    return replay.position


def _difference(rebuilt: Mapping[int, bytes | None], held: Mapping[int, bytes]) -> Difference:
    both = rebuilt.keys() & held.keys()
    return Difference(
        len(rebuilt),
        len(rebuilt) - len(both),
        len(held) - len(both),
        sum(rebuilt[key] != held[key] for key in both),
    )

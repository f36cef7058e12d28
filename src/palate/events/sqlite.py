"""The event log in one SQLite file: acknowledged means synced to the disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from palate.catalog.database import Database
from palate.events.kinds import Event, Kind, Shown
from palate.events.protocol import Appended, Logged, Renamed, Then, Traces
from palate.events.renaming import Renaming, Seeking, last_farewell

ONLY_FORGETS = f"kind = {int(Kind.FORGET)}"
SCHEMA = f"""
create table if not exists event (
  position integer primary key autoincrement, received real not null, event_id text not null unique,
  kind integer not null, time real not null, user_id text not null, session_id text not null,
  item_id text not null, value real, surface text not null, place integer not null,
  recommendation_id text not null, rest blob
);
create index if not exists event_forgets on event (user_id, session_id) where {ONLY_FORGETS}
"""
COLUMNS = (
    "received, event_id, kind, time, user_id, session_id, item_id, value, surface, place, "
    "recommendation_id, rest"
)
INSERT = f"insert or ignore into event ({COLUMNS}) values (?,?,?,?,?,?,?,?,?,?,?,?)"
READ = f"select position, {COLUMNS} from event where position > ? order by position limit ?"


class _Rest(msgspec.Struct, omit_defaults=True):
    """What only some events carry, packed."""

    items: tuple[Shown, ...] = ()
    context: dict[str, Any] = {}
    properties: dict[str, Any] = {}


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Rest).decode
_KINDS = {int(kind): kind for kind in Kind}


class SqliteLog:
    """Positions grow in commit order: a writer takes the write lock before its first position."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA, synchronous="FULL")

    def append(self, events: Sequence[Event], received: float) -> Appended:
        return self.append_all([events], received)[0]

    def append_all(self, batches: Sequence[Sequence[Event]], received: float) -> list[Appended]:
        packed = [[_row(event, received) for event in events] for events in batches]
        answer = []
        with self._database.writing() as db:
            for rows in packed:
                before = db.total_changes
                db.executemany(INSERT, rows)
                accepted = db.total_changes - before
                answer.append(Appended(accepted, len(rows) - accepted))
        return answer

    def read(self, after: int, limit: int) -> list[Logged]:
        with self._database.reading() as db:
            found = db.execute(READ, (after, limit)).fetchall()
        return [_read(row) for row in found]

    def end(self) -> int:
        with self._database.reading() as db:
            (position,) = db.execute("select coalesce(max(position), 0) from event").fetchone()
        return int(position)

    def count(self) -> int:
        with self._database.reading() as db:
            (events,) = db.execute("select count(*) from event").fetchone()
        return int(events)

    def announce(self, user_id: str, then: Then) -> Traces:
        seeking = Seeking(user_id)
        with self._database.reading() as db:
            seeking.look(db)
        with self._database.writing() as db:
            seeking.look(db)
            found = Traces(seeking.events, tuple(seeking.sessions))
            db.executemany(INSERT, [_row(event, event.time) for event in then(found)])
        return found

    def pseudonymise(self, user_id: str, pseudonym: str, until: int) -> Renamed:
        with self._database.reading() as db:
            renaming = Renaming(
                user_id, pseudonym, last_farewell(db, user_id, until), _without_context
            )
            renaming.look(db)
        with self._database.writing() as db:
            return Renamed(*renaming.change(db))

    def forgets(self) -> list[tuple[str, str]]:
        distinct = f"select distinct user_id, session_id from event where {ONLY_FORGETS}"
        with self._database.reading() as db:
            return db.execute(distinct).fetchall()

    def close(self) -> None:
        self._database.close()


def _row(event: Event, received: float) -> tuple[object, ...]:
    rest = None
    if event.items or event.context or event.properties:
        rest = _pack(_Rest(event.items, event.context, event.properties))
    return (
        received, event.event_id, int(event.kind), event.time, event.user_id, event.session_id,
        event.item_id, event.value, event.surface, event.position, event.recommendation_id, rest,
    )  # fmt: skip


def _read(row: tuple[Any, ...]) -> Logged:
    try:
        return _logged(row)
    except (msgspec.DecodeError, KeyError) as error:
        problem = f"it does not read back from the log: {type(error).__name__}: {error}"
        broken = Event(
            event_id=str(row[2]),
            kind=Kind.UNREADABLE,
            time=float(row[1]),
            properties={"problem": problem},
        )
        return Logged(int(row[0]), float(row[1]), broken)


def _logged(row: tuple[Any, ...]) -> Logged:
    (
        position, received, event_id, kind, time, user_id, session_id, item_id, value, surface,
        place, recommendation_id, rest,
    ) = row  # fmt: skip
    more = _NO_REST if rest is None else _unpack(rest)
    event = Event(
        event_id=event_id, kind=_KINDS[kind], time=time, user_id=user_id, session_id=session_id,
        item_id=item_id, items=more.items, value=value, surface=surface, position=place,
        recommendation_id=recommendation_id, context=more.context, properties=more.properties,
    )  # fmt: skip
    return Logged(position, received, event)


_NO_REST = _Rest()


def _without_context(rest: bytes) -> bytes | None:
    """Keep what counting needs (the items shown, the creator followed), drop the free words."""
    try:
        held = _unpack(rest)
    except msgspec.DecodeError:
        return None  # what nobody can read may hold a name
    creator = {k: v for k, v in held.properties.items() if k == "creator_id"}
    return _pack(_Rest(held.items, {}, creator)) if held.items or creator else None

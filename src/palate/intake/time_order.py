"""Events in the order in which they happened, however many there are.

A history is logged in time order, so that a replay of the log learns things in the order in which
they became known.
"""

import sqlite3
from collections.abc import Iterator

import msgspec

from palate.events.kinds import Event

IN_MEMORY = 300_000
"""Beyond this many the events wait in a temporary file that nobody else sees."""
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Event).decode


class TimeOrder:
    """Takes events in any order, gives them back by (time, line).

    Equal rows of a file get the same made-up id; they have the same time, so they meet here, and
    the second, third, … of them get ids of their own.
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._held: list[tuple[float, int, bool, Event]] = []
        self._file: sqlite3.Connection | None = None
        self.count = 0
        self.oldest, self.newest = float("inf"), float("-inf")

    def add(self, line: int, event: Event, *, made_up: bool) -> None:
        """Take one event; `made_up` where its id was derived from its row."""
        self._held.append((event.time, line, made_up, event))
        self.count += 1
        self.oldest = min(self.oldest, event.time)
        self.newest = max(self.newest, event.time)
        if len(self._held) >= self._in_memory:
            self._spill()

    def batches(self, size: int, *, shift: float = 0.0) -> Iterator[list[Event]]:
        """All events, oldest first, moved by `shift` seconds."""
        batch: list[Event] = []
        moment, met = float("nan"), dict[str, int]()
        for time, _, made_up, event in self._sorted():
            if time != moment:
                moment, met = time, {}
            changes: dict[str, object] = {"time": time + shift} if shift else {}
            if made_up:
                before = met[event.event_id] = met.get(event.event_id, -1) + 1
                changes |= {"event_id": f"{event.event_id}-{before}"} if before else {}
            batch.append(msgspec.structs.replace(event, **changes) if changes else event)
            if len(batch) == size:
                yield batch
                batch = []
        if batch:
            yield batch

    def _spill(self) -> None:
        if self._file is None:
            self._file = sqlite3.connect("")
            self._file.execute("create table spool (time real, line int, made_up int, event blob)")
        rows = [(time, line, made, _pack(event)) for time, line, made, event in self._held]
        self._file.executemany("insert into spool values (?, ?, ?, ?)", rows)
        self._held = []

    def _sorted(self) -> Iterator[tuple[float, int, bool, Event]]:
        if self._file is None:
            self._held.sort(key=lambda entry: entry[:2])
            yield from self._held
            return
        self._spill()
        query = "select time, line, made_up, event from spool order by time, line"
        for time, line, made_up, event in self._file.execute(query):
            yield time, line, bool(made_up), _unpack(event)

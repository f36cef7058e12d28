"""Many small appends, one sync: what arrives while the disk is busy shares the next turn."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from palate.clock import Clock
from palate.errors import Unavailable
from palate.events.kinds import Event
from palate.events.protocol import Appended, EventLog

MOST = 5_000
"""A turn that holds this many events takes no more batches."""


@dataclass(slots=True)
class _Turn:
    """The batches of one transaction."""

    batches: list[Sequence[Event]] = field(default_factory=list)
    events: int = 0
    future: "Future[list[Appended]]" = field(default_factory=Future)

    def add(self, events: Sequence[Event]) -> int:
        self.batches.append(events)
        self.events += len(events)
        return len(self.batches) - 1


class GroupCommit:
    """Appends for many callers by one writer thread; `append` returns once the events are durable.

    Each caller learns how many of *their* events were new. When the log fails, every caller of
    that turn gets the error and nothing of the turn is stored.
    """

    def __init__(self, log: EventLog, clock: Clock, most_waiting: int = 50_000) -> None:
        self._log, self._clock, self._most = log, clock, most_waiting
        self.waiting = 0
        """Events that are not on the disk yet."""
        self._guard = threading.Lock()
        self._gathering: _Turn | None = None
        self._closed = False
        self._writer = ThreadPoolExecutor(1, "group-commit")

    async def append(self, events: Sequence[Event]) -> Appended:
        """Store a batch, all or nothing.

        Raises Unavailable where the log is, or is closing, or where too much waits for it already.
        """
        if not events:
            return Appended(0, 0)
        with self._guard:
            if self.waiting and self.waiting + len(events) > self._most:
                raise Unavailable(
                    f"{self.waiting:,} events wait for the disk already; send these again in a"
                    " second, in the same batch"
                )
            turn = self._open_turn()
            place = turn.add(events)
            self.waiting += len(events)
        # A caller who leaves must not take the others' events with them.
        answers = await asyncio.shield(asyncio.wrap_future(turn.future))
        return answers[place]

    def close(self) -> None:
        """Store what waits, then stop the thread. The log stays open."""
        with self._guard:
            self._closed = True
        self._writer.shutdown()

    def _open_turn(self) -> _Turn:
        if self._closed:
            raise Unavailable("the event log is closing; send the events again")
        turn = self._gathering
        if turn is None or turn.events >= MOST:
            turn = self._gathering = _Turn()
            turn.future = self._writer.submit(self._commit, turn)
        return turn

    def _commit(self, turn: _Turn) -> list[Appended]:
        with self._guard:
            if self._gathering is turn:
                self._gathering = None
        try:
            return self._log.append_all(turn.batches, self._clock.now())
        finally:
            with self._guard:
                self.waiting -= turn.events

"""Many small appends, one sync: what arrives while the disk is busy shares the next turn."""

import asyncio
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from palate.clock import Clock
from palate.errors import PalateError, Unavailable
from palate.events.kinds import Event
from palate.events.protocol import Appended, EventLog

MOST = 5_000
"""Events that go into one transaction."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    events: Sequence[Event]
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Appended]"


class GroupCommit:
    """Appends for many callers by one writer thread; `append` returns once the events are durable.

    Each caller learns how many of *their* events were new. When the log fails, every caller of
    that turn gets the error and nothing of the turn is stored.
    """

    def __init__(self, log: EventLog, clock: Clock) -> None:
        self._log, self._clock = log, clock
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._write, name="group-commit", daemon=True)
        self._thread.start()

    async def append(self, events: Sequence[Event]) -> Appended:
        """Store a batch, all or nothing."""
        if not events:
            return Appended(0, 0)
        if self._closed:
            raise Unavailable("the event log is closing; send the events again")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Appended] = loop.create_future()
        self._waiting.put(_Waiting(events, loop, future))
        return await future

    def close(self) -> None:
        """Store what waits, then stop the thread. The log stays open."""
        self._closed = True
        self._waiting.put(None)
        self._thread.join()

    def _write(self) -> None:
        while True:
            turn, last = self._next_turn()
            if turn:
                self._commit(turn)
            if last:
                return

    def _next_turn(self) -> tuple[list[_Waiting], bool]:
        """What waits by now, at least one; True once `close` was called."""
        first = self._waiting.get()
        turn: list[_Waiting] = []
        while first is not None:
            turn.append(first)
            if sum(len(each.events) for each in turn) >= MOST or self._waiting.empty():
                return turn, False
            first = self._waiting.get()
        return turn, True

    def _commit(self, turn: list[_Waiting]) -> None:
        try:
            answers = self._log.append_all([each.events for each in turn], self._clock.now())
        except PalateError as error:
            for each in turn:
                each.loop.call_soon_threadsafe(_fail, each.future, error)
            return
        for each, answer in zip(turn, answers, strict=True):
            each.loop.call_soon_threadsafe(_settle, each.future, answer)


def _settle(future: "asyncio.Future[Appended]", answer: Appended) -> None:
    if not future.done():
        future.set_result(answer)


def _fail(future: "asyncio.Future[Appended]", error: PalateError) -> None:
    if not future.done():
        future.set_exception(error)

"""The queue between answers and what is written after them: bounded, and never in the way."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from palate.serving.meters import Meters
from palate.serving.observing.faults import Faults

T = TypeVar("T")

LINGER = 0.1
"""Seconds that an entry waits for others: one transaction, and less in the way of answers."""


class Batches(Generic[T]):
    """Entries that wait to be written together, off the event loop."""

    def __init__(
        self, what: str, write: Callable[[Sequence[T]], None], meters: Meters, most: int = 1_000
    ) -> None:
        self._what, self._write, self._meters = what, write, meters
        self._waiting: asyncio.Queue[T] = asyncio.Queue(most)
        self._faults = Faults()

    def note(self, entry: T) -> bool:
        """Write it soon; False, and counted, where too many wait. Never waits."""
        try:
            self._waiting.put_nowait(entry)
        except asyncio.QueueFull:
            self._meters.dropped(self._what)
            return False
        return True

    @property
    def waiting(self) -> int:
        """How many wait to be written."""
        return self._waiting.qsize()

    async def run(self, done: Callable[[T], object] = lambda _: None) -> None:
        """Write until cancelled; `done` is told of each entry, written or not."""
        spent: list[T] = []
        while True:
            batch = [await self._waiting.get()]
            await asyncio.sleep(LINGER)
            batch += [self._waiting.get_nowait() for _ in range(self._waiting.qsize())]
            try:
                await asyncio.to_thread(self._written, batch, spent)
            except Exception as error:  # noqa: BLE001  it must not end all that follow
                self._faults.trouble(f"writing what waits ({self._what})", error)
                for _ in batch:
                    self._meters.dropped(self._what)
            for entry in batch:
                done(entry)
                self._waiting.task_done()
            spent = batch

    def _written(self, batch: list[T], spent: list[T]) -> None:
        """In a thread; what was written before is freed here, for that takes as long."""
        spent.clear()
        self._write(batch)

    async def settle(self) -> None:
        """Wait until all that was noted is written."""
        await self._waiting.join()

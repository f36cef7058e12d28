"""Keeps what a page was ranked by until the join takes it: after the answer, in batches."""

import asyncio

from palate.errors import PalateError
from palate.features.offline.waiting import Page, Waiting
from palate.funnel.types import Answer
from palate.serving.meters import Meters

MOST_WAITING = 1_000
LINGER = 0.1
"""Seconds that a page waits for others: they share one transaction."""


class FeatureWriter:
    """The queue between answers and the table of what waits."""

    def __init__(self, waiting: Waiting, meters: Meters, share: float) -> None:
        self._table, self._meters, self._share = waiting, meters, share
        self._waiting: asyncio.Queue[Page] = asyncio.Queue(MOST_WAITING)

    def note(
        self, recommendation_id: str, names: tuple[str, ...], answer: Answer, lot: float
    ) -> None:
        """Keep them soon, where the ranker read any and `lot` (0 to 1) falls on it. Never waits."""
        features = answer.trace.features
        if features is None or not len(features) or lot >= self._share:
            return
        try:
            self._waiting.put_nowait(Page(recommendation_id, names, features))
        except asyncio.QueueFull:
            self._meters.dropped("features")

    @property
    def waiting(self) -> int:
        """How many wait to be written."""
        return self._waiting.qsize()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            batch = [await self._waiting.get()]
            await asyncio.sleep(LINGER)
            batch += [self._waiting.get_nowait() for _ in range(self._waiting.qsize())]
            try:
                await asyncio.to_thread(self._table.put, batch)
            except PalateError:
                for _ in batch:
                    self._meters.dropped("features")
            for _ in batch:
                self._waiting.task_done()

    async def settle(self) -> None:
        """Wait until all that was noted is written."""
        await self._waiting.join()

    async def forget(self, keys: list[int]) -> None:
        """Rows of these users and sessions are to lose the name."""
        await asyncio.to_thread(self._table.forget, keys)

    def close(self) -> None:
        """Release the file."""
        self._table.close()

"""Keeps what a page was ranked by until the join takes it: after the answer, in batches."""

import asyncio

from palate.features.offline.waiting import Page, Waiting
from palate.funnel.types import Answer
from palate.serving.meters import Meters
from palate.serving.tracing.batches import Batches


class FeatureWriter:
    """The queue between answers and the table of what waits."""

    def __init__(self, waiting: Waiting, meters: Meters, share: float, most: int = 1_000) -> None:
        self._table, self._share = waiting, share
        self._pages = Batches("features", waiting.put, meters, most)

    def note(
        self, recommendation_id: str, names: tuple[str, ...], answer: Answer, lot: float
    ) -> None:
        """Keep them soon, where the ranker read any and `lot` (0 to 1) falls on it. Never waits."""
        features = answer.trace.features
        if features is None or not len(features) or lot >= self._share:
            return
        self._pages.note(Page(recommendation_id, names, features))

    @property
    def waiting(self) -> int:
        """How many wait to be written."""
        return self._pages.waiting

    async def run(self) -> None:
        """Write until cancelled."""
        await self._pages.run()

    async def settle(self) -> None:
        """Wait until all that was noted is written."""
        await self._pages.settle()

    async def forget(self, keys: list[int]) -> None:
        """Rows of these users and sessions are to lose the name."""
        await asyncio.to_thread(self._table.forget, keys)

    def close(self) -> None:
        """Release the file."""
        self._table.close()

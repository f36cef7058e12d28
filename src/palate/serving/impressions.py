"""Logs what was shown, after the answer is out: the training set and the honest propensities.

Nothing here may delay or fail an answer: impressions wait in a bounded queue and go to the log in
batches. A full queue drops the impression and counts it.
"""

import asyncio
import logging
from typing import Any

from palate.events.ingest import GroupCommit
from palate.events.kinds import Event, Kind, Shown
from palate.funnel.types import Slate
from palate.serving.bodies import Ask, Recommendation
from palate.serving.meters import Meters
from palate.serving.observing.faults import Faults

BATCH = 500
ASKING = frozenset({"onboarding"})
"""Surfaces that ask instead of recommending: what is not picked there was not passed over."""
OURS = frozenset({"release", "step", "policy"})
"""Names in an impression's context that no caller can give."""
LINGER = 0.05
"""Seconds that an impression waits for others: they share one sync of the log."""
log = logging.getLogger("palate.serving")


class Impressions:
    """The queue between answers and the log."""

    def __init__(self, commit: GroupCommit, meters: Meters, most: int = 10_000) -> None:
        self._commit, self._meters = commit, meters
        self._waiting: asyncio.Queue[Event] = asyncio.Queue(most)
        self._faults = Faults()
        self._noted = self._written = 0
        self._progress = asyncio.Condition()

    def note(self, event: Event) -> None:
        """Log it soon. Never waits."""
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            self._meters.dropped("impression")
        else:
            self._noted += 1

    @property
    def waiting(self) -> int:
        """How many wait to be written."""
        return self._waiting.qsize()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            batch = [await self._waiting.get()]
            await asyncio.sleep(LINGER)
            batch += [self._waiting.get_nowait() for _ in range(min(BATCH, self._waiting.qsize()))]
            await self._write(batch)
            async with self._progress:
                self._written += len(batch)
                self._progress.notify_all()
            for _ in batch:
                self._waiting.task_done()

    async def caught_up(self) -> None:
        """Wait until what was noted so far is written, whatever comes meanwhile."""
        noted = self._noted
        async with self._progress:
            await self._progress.wait_for(lambda: self._written >= noted)

    async def settle(self) -> None:
        """Wait until all that was noted is written."""
        await self._waiting.join()

    def give_up(self) -> int:
        """Count those that the end of the worker leaves unwritten; returns how many."""
        lost = self._noted - self._written
        for _ in range(lost):
            self._meters.dropped("impression")
        if lost:
            log.warning("%d impressions were not written before this worker ended", lost)
        return lost

    async def _write(self, batch: list[Event]) -> None:
        try:
            await self._commit.append(batch)
        except Exception as error:  # noqa: BLE001  whatever it is: the next ones are written
            self._faults.trouble("logging of impressions", error)
            for _ in batch:
                self._meters.dropped("impression")
        else:
            self._meters.events([event.kind.name.lower() for event in batch])


def impression(ask: Ask, body: Recommendation, slate: Slate, now: float) -> Event | None:
    """What was shown, as one event; None where the visitor gave no name or nothing was shown.

    Where both are given only the user is named: showing something is no proof that the session is
    theirs.
    """
    if not body.items or body.surface in ASKING or not (ask.user_id or ask.session_id):
        return None
    likely = [1.0] * len(slate) if slate.propensity is None else slate.propensity.tolist()
    shown = [
        Shown(
            item_id=entry.item_id,
            position=entry.position,
            propensity=propensity,
            score=entry.score,
            explore=entry.explore,
        )
        for entry, propensity in zip(body.items, likely, strict=True)
    ]
    return Event(
        event_id=f"{body.recommendation_id}.impression",
        kind=Kind.IMPRESSION,
        time=now,
        user_id=ask.user_id,
        session_id="" if ask.user_id else ask.session_id,
        items=tuple(shown),
        surface=body.surface,
        recommendation_id=body.recommendation_id,
        context=_context(ask, body, slate),
    )


def _context(ask: Ask, body: Recommendation, slate: Slate) -> dict[str, Any]:
    """The caller's, but for the names of what we say ourselves.

    `policy` is what was left to chance on this page: with the propensities, all that estimators
    need.
    """
    own = {"release": body.release, "step": body.step, "policy": slate.policy}
    if not slate.policy:
        del own["policy"]
    return {n: each for n, each in ask.context.items() if n not in OURS} | own

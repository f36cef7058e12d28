"""A sample of live requests, held until it is known what their visitors took.

What a visitor took after a request, anywhere on the site, is what that request could have shown.
The answer is held in the worker's memory meanwhile, so that fates are read off what the engine
recorded; only counts are written down. Samples of a release that went are given up with it.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from palate.arrays import Rows
from palate.events.kinds import Kind, Signal
from palate.features.online.claimed import state_of
from palate.features.record import UserState
from palate.funnel.engine import Funnel
from palate.funnel.ledger import Ledger
from palate.funnel.types import Answer, Query, Slate
from palate.serving.accounting.books import Books
from palate.settings_loop import LedgerSettings, Outcome
from palate.stores import Stores

MINUTE, HOUR = 60.0, 3_600.0
DRAWS = float(1 << 63)


class Sample(NamedTuple):
    """One answered request."""

    key: int
    """The visitor's."""
    funnel: Funnel
    query: Query
    answer: Answer


class Sampler:
    """One worker's samples, oldest first."""

    def __init__(
        self, settings: LedgerSettings, hours: Mapping[Outcome, float], books: Books
    ) -> None:
        self.settings, self.books = settings, books
        self._hours = {int(Kind[kind.upper()]): hours[kind] * HOUR for kind in hours}
        self._held: deque[Sample] = deque()

    @property
    def waiting(self) -> int:
        """How many are held."""
        return len(self._held)

    def note(self, sample: Sample) -> None:
        """Hold a request where it is drawn; of a visitor without a name nobody can say anything."""
        drawn = sample.query.draw / DRAWS < self.settings.share
        room = len(self._held) < self.settings.most
        if drawn and room and sample.key and not sample.query.given:
            self._held.append(sample._replace(answer=_light(sample.answer)))

    def forget(self, key: int) -> None:
        """Let go of a visitor's requests."""
        self._held = deque(each for each in self._held if each.key != key)

    async def settle(self, stores: Stores, now: float) -> int:
        """Account for those whose time is over; returns how many. A thread computes."""
        settled = 0
        self._let_go(stores)
        for sample in self._due(stores, now):
            await asyncio.to_thread(self._account, sample, stores)
            settled += 1
        return settled

    def _let_go(self, stores: Stores) -> None:
        """Of samples of a release that went: they would hold all of it in memory."""
        if any(each.funnel.stores.release is not stores.release for each in self._held):
            live = (each for each in self._held if each.funnel.stores.release is stores.release)
            self._held = deque(live)

    def _due(self, stores: Stores, now: float) -> Iterator[Sample]:
        last = now - self.settings.wait_minutes * MINUTE
        while self._held and self._held[0].query.now <= last:
            sample = self._held.popleft()
            if sample.funnel.stores.release is stores.release:
                yield sample

    def _account(self, sample: Sample, stores: Stores) -> None:
        rows = self._taken(state_of(stores.online, sample.key), sample.query.now)
        kept = Ledger.of(sample.funnel, sample.query, list(rows), sample.answer)
        self.books.add(sample.query.now, sample.query.surface, kept)

    def _taken(self, user: UserState, since: float) -> Rows:
        """Distinct rows that the visitor took since, each kind of act within its own time."""
        longest = min(self.settings.wait_minutes * MINUTE, max(self._hours.values(), default=0.0))
        window = np.zeros(256)
        for kind, seconds in self._hours.items():
            window[kind] = min(seconds, longest)
        after = user.times - since
        takes = user.signals & np.uint8(Signal.ENGAGED) != 0
        told = user.signals & np.uint8(Signal.TOLD) != 0
        counts = takes & ~told & (after > 0) & (after <= window[user.kinds]) & (user.history >= 0)
        return np.unique(user.history[counts])


def _light(answer: Answer) -> Answer:
    """Without what tells nothing of fates: it may wait for long."""
    ranked = answer.trace.ranked
    trace = replace(
        answer.trace,
        features=None,
        ranked=None if ranked is None else Slate(ranked.rows, ranked.scores),
    )
    slate = Slate(answer.slate.rows, answer.slate.scores)
    return replace(answer, reasons=(), slate=slate, trace=trace)

"""How many answers are under way at once, who waits, and who has to be turned away.

The limit follows latency (a gradient, as TCP Vegas and Netflix' concurrency limits): it falls where
answers take longer than they usually do, and rises where they do not. What is beyond it waits in
a bounded queue, first come first served. Only who would be late even with an answer from memory
is turned away.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from math import inf

from palate.errors import Unavailable

SLOW, QUICK = 0.01, 0.2
"""Weights of the newest answer in the usual latency, and of the newest limit in the limit."""
PATIENT = 1.5
"""How many times the usual an answer may take before the limit falls."""


class Limit:
    """How many may be under way, between 1 and `most`."""

    def __init__(self, most: int) -> None:
        self._most, self.now = float(most), float(min(most, 4))
        self._usual: float | None = None

    def told(self, seconds: float) -> None:
        """An answer took so long, its wait aside."""
        usual = seconds if self._usual is None else self._usual
        self._usual = usual + SLOW * (seconds - usual)
        gradient = min(max(PATIENT * self._usual / max(seconds, 1e-6), 0.5), 1.0)
        wanted = self.now * gradient + 1.0
        self.now = min(max(self.now + QUICK * (wanted - self.now), 1.0), self._most)


class Gate:
    """Before the funnel of one worker, on its event loop."""

    def __init__(self, most: int, most_waiting: int, timer: Callable[[], float]) -> None:
        self.limit, self.flying = Limit(most), 0
        self._most_waiting, self._timer = most_waiting, timer
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def enter(self, seconds: float = inf, least: float = 0.0) -> float:
        """Wait for a turn; returns how long that took.

        Raises Unavailable where an answer that takes `least` seconds would come later than in
        `seconds`, or too many wait.
        """
        if self.flying < int(self.limit.now) and not self._waiting:
            self.flying += 1
            return 0.0
        ahead = len(self._waiting) + 1
        if ahead > self._most_waiting or ahead * least > seconds:
            raise _full()
        came = self._timer()
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            self._gone(turn)
            raise
        waited = self._timer() - came
        if waited + least > seconds:
            self.flying -= 1
            self._next()
            raise _full()
        return waited

    def leave(self, seconds: float) -> None:
        """An answer is out that took so long; the next one's turn."""
        self.flying -= 1
        self.limit.told(seconds)
        self._next()

    def _gone(self, turn: "asyncio.Future[None]") -> None:
        """Somebody left: out of the queue, or, where it was their turn, the next one's."""
        if turn.done() and not turn.cancelled():
            self.flying -= 1
            self._next()
        elif turn in self._waiting:
            self._waiting.remove(turn)

    def _next(self) -> None:
        while self._waiting and self.flying < int(self.limit.now):
            turn = self._waiting.popleft()
            if not turn.done():
                self.flying += 1
                turn.set_result(None)


def _full() -> Unavailable:
    return Unavailable("more requests than can be answered in time; try again in a second")

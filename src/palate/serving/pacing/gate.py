"""How many answers are under way at once, who waits, and who has to be turned away.

The limit follows latency (a gradient, as TCP Vegas and Netflix' concurrency limits): it falls where
answers take longer than they usually do, and rises where they do not. What is beyond it waits in
a bounded queue, first come first served. Only who would be late even with an answer from memory
is turned away.

A funnel hardly ever waits: it holds the event loop from its first line to its last, and whoever
came meanwhile stands in the loop's own queue, unseen. So everybody waits here, if only for a
moment, and turns are given one a round of the loop: between two answers all who have come are
noticed, and their time counts from then.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from math import inf
from typing import NamedTuple

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


class Waiting(NamedTuple):
    """Somebody in the queue."""

    turn: "asyncio.Future[None]"
    ends: float
    """When they have to be answered, by the gate's timer."""


class Gate:
    """Before the funnel of one worker, on its event loop."""

    def __init__(self, most: int, most_waiting: int, timer: Callable[[], float]) -> None:
        self.limit, self.flying = Limit(most), 0
        self._most_waiting, self._timer = most_waiting, timer
        self._waiting: deque[Waiting] = deque()
        self._called = False

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def enter(self, seconds: float = inf, least: float = 0.0) -> float:
        """Wait for a turn; returns how long that took.

        Raises Unavailable where an answer that takes `least` seconds would come later than in
        `seconds`, or too many wait.
        """
        ahead = len(self._waiting) + 1
        busy = ahead > 1 or self.flying >= int(self.limit.now)
        if ahead > self._most_waiting or (busy and ahead * least > seconds):
            raise _full()
        came = self._timer()
        waiting = Waiting(asyncio.get_running_loop().create_future(), came + seconds)
        self._waiting.append(waiting)
        self._call()
        try:
            async with asyncio.timeout(
                max(seconds - least, 0.0) if busy and seconds < inf else None
            ):
                await waiting.turn
        except TimeoutError:
            self._gone(waiting)
            raise _full() from None
        except asyncio.CancelledError:
            self._gone(waiting)
            raise
        return self._timer() - came

    def share(self) -> float:
        """Seconds that each may take, so that all who wait are answered in time."""
        now = self._timer()
        left = ((each.ends - now) / (ahead + 2) for ahead, each in enumerate(self._waiting))
        return max(min(left, default=inf), 0.0)

    def leave(self, seconds: float) -> None:
        """An answer is out that took so long; the next one's turn."""
        self.flying -= 1
        self.limit.told(seconds)
        self._call()

    def _gone(self, who: Waiting) -> None:
        """Somebody left: out of the queue, or, where it was their turn, the next one's."""
        if who.turn.done() and not who.turn.cancelled():
            self.flying -= 1
            self._call()
        elif who in self._waiting:
            self._waiting.remove(who)

    def _call(self) -> None:
        """Give a turn in the loop's next round, behind all who came in this one."""
        if self._waiting and not self._called and self.flying < int(self.limit.now):
            self._called = True
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self._called = False
        while self._waiting and self.flying < int(self.limit.now):
            turn = self._waiting.popleft().turn
            if not turn.done():
                self.flying += 1
                turn.set_result(None)
                break
        self._call()


def _full() -> Unavailable:
    return Unavailable("more requests than can be answered in time; try again in a second")

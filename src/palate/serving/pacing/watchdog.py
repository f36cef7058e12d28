"""Ends a worker whose event loop stands still: the server starts another at once.

A part that computes for ever cannot be interrupted from within its own thread; without this, one
such request would take a worker, and everybody whose connection it holds, out of service for good.
"""

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import AsyncIterator, Callable
from time import perf_counter

log = logging.getLogger("palate.serving")

EVERY = 0.5
"""Seconds between two looks."""
SOFTWARE = 70
"""Exit code, as of sysexits.h."""


class Watchdog:
    """Looks from a thread whether the loop still comes round."""

    def __init__(self, seconds: float, timer: Callable[[], float] = perf_counter) -> None:
        self._seconds, self._timer = seconds, timer
        self._beat = self._looked = timer()

    def beat(self) -> None:
        """The loop came round."""
        self._beat = self._timer()

    def stuck(self) -> bool:
        """Whether it has not for too long.

        Where this was not called for long either, the whole process stood still (SIGSTOP, a machine
        that slept): that is nobody's fault, and the time starts anew.
        """
        now = self._timer()
        slept, self._looked = now - self._looked > 4 * EVERY, now
        if slept:
            self._beat = now
        return now - self._beat > self._seconds


@contextlib.asynccontextmanager
async def watched(
    seconds: float,
    last: Callable[[], object] = bool,
    end: Callable[[int], object] = os._exit,
) -> AsyncIterator[None]:
    """Watch the running loop; `last`, then `end` is called where it stands still for so long."""
    dog, over = Watchdog(seconds), threading.Event()

    def look() -> None:
        while not over.wait(EVERY):
            if dog.stuck():
                log.critical("the event loop stood still for %.0f s: this worker ends", seconds)
                last()
                end(SOFTWARE)

    async def beats() -> None:
        while True:
            dog.beat()
            await asyncio.sleep(EVERY)

    threading.Thread(target=look, name="watchdog", daemon=True).start()
    beating = asyncio.create_task(beats())
    try:
        yield
    finally:
        over.set()
        beating.cancel()

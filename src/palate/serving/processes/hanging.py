"""Surfaces that hung a worker while it warmed up: the next workers do not try them again.

A thread that sleeps or computes for ever cannot be ended from without, and the watchdog ends the
whole worker. What was being tried is written down first, where the server's workers share a folder;
so one such part costs each worker one try at most, and not the site.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import TypeVar

from palate.jit import compiling
from palate.serving.environment import READY

FILE = "hanging"
LOOK = 0.1
"""Seconds between two looks at work that takes long."""
T = TypeVar("T")
log = logging.getLogger("palate.serving")


class Hanging:
    """Names of surfaces that did not come back, of this worker and of those before it."""

    def __init__(self, folder: Path | None = None) -> None:
        self._file = folder / FILE if folder else None
        self._names = set(self._read())
        self._trying = ""
        if self._names:
            told = ", ".join(sorted(self._names))
            log.warning("not warmed up, for a worker before this one hung in it: %s", told)

    @classmethod
    def of_worker(cls) -> "Hanging":
        """What the workers of this server know; of this process alone where it is none."""
        folder = os.environ.get(READY)
        return cls(Path(folder) if folder else None)

    def __contains__(self, surface: object) -> bool:
        return surface in self._names

    @contextmanager
    def trying(self, surface: str) -> Iterator[None]:
        """While it lasts, a worker that ends for standing still does so because of this surface."""
        self._trying = surface
        try:
            yield
        finally:
            self._trying = ""

    def blame(self) -> None:
        """The worker ends: write down what it was trying, if anything."""
        if self._trying:
            self.note(self._trying)

    def note(self, surface: str) -> None:
        """It does not come back."""
        self._names.add(surface)
        log.error(
            "%s does not come back: it is no longer warmed up until the server starts anew", surface
        )
        if self._file is not None:
            try:
                with self._file.open("a", encoding="utf-8") as written:
                    written.write(f"{surface}\n")
            except OSError as error:
                log.warning("the next workers will try %s again: %s", surface, error)

    def back(self, surface: str) -> None:
        """It did come back, late: it is tried again next time."""
        self._names.discard(surface)
        log.warning("%s came back after all", surface)
        if self._file is not None:
            with suppress(OSError):
                names = [each for each in self._read() if each != surface]
                self._file.write_text("".join(f"{each}\n" for each in names), "utf-8")

    def _read(self) -> list[str]:
        try:
            return self._file.read_text("utf-8").split() if self._file else []
        except OSError:  # nobody hung yet
            return []


def in_time(work: Callable[[], T], seconds: float, late: Callable[[], object] = lambda: None) -> T:
    """Do it in a thread, and raise TimeoutError where it takes longer; the thread is left behind.

    Blocks. What the work raises is raised here. The time in which something is compiled does not
    count: a first start on a busy machine may compile for minutes. `late` is called where the work
    comes to an end after it was given up.
    """
    done: list[T] = []
    raised: list[BaseException] = []
    given_up = threading.Event()

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001  it is raised where it was asked for
            raised.append(error)
        if given_up.is_set():
            late()

    thread = threading.Thread(target=run, name="in time", daemon=True)
    thread.start()
    spent, looked = 0.0, monotonic()
    thread.join(min(LOOK, seconds))
    while thread.is_alive() and spent < seconds:
        thread.join(LOOK)
        now = monotonic()
        spent, looked = spent + (now - looked) * (not compiling()), now
    if raised:
        raise raised[0]
    if not done:
        given_up.set()
        raise TimeoutError
    return done[0]

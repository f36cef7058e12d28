"""Answers that take long to find and serve many requests: found anew while the old one serves."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

QUICK = 10_000
"""Up to so many items, looked at once each, are looked through on the event loop: it takes less
than a millisecond, and a thread would be asked for less than it costs."""


class Held(NamedTuple, Generic[T]):
    """An answer."""

    moment: Hashable
    """What it is the answer of: a version, a minute."""
    at: float
    """When it was asked for, in seconds since the epoch."""
    answer: T


class Standing(Generic[T]):
    """The answers to a few questions, each as of a moment.

    When the moment has passed, the next one to ask gets the old answer once more and has the new
    one found, in a thread. Only who asks for the first time waits, or when the old answer is older
    than `patience` seconds. One that is younger than `rest` is taken as it is.
    """

    def __init__(self, most: int, patience: float, rest: float = 0.0) -> None:
        self._most, self._patience, self._rest = most, patience, rest
        self._held: dict[Hashable, Held[T]] = {}
        self._sought: set[Hashable] = set()
        self._first: dict[Hashable, asyncio.Future[T]] = {}

    async def of(
        self, question: Hashable, moment: Hashable, now: float, find: Callable[[], T]
    ) -> T:
        """The answer to a question, if need be the last moment's. Raises what `find` raises."""
        held, asked = self._held.get(question), (question, moment, now, find)
        if held is None or (held.moment != moment and abs(now - held.at) > self._patience):
            return await self._together(*asked)
        due = held.moment != moment and abs(now - held.at) >= self._rest
        if due and question not in self._sought:
            self._sought.add(question)
            asyncio.get_running_loop().run_in_executor(None, self._seek, *asked)
        return held.answer

    async def _together(
        self, question: Hashable, moment: Hashable, now: float, find: Callable[[], T]
    ) -> T:
        """Find it once for all who ask for it meanwhile (on this loop: others cannot be told)."""
        key = asyncio.get_running_loop(), question, moment
        finding = self._first.get(key)
        if finding is None:
            seeking = asyncio.to_thread(self._seek, question, moment, now, find)
            finding = self._first[key] = asyncio.ensure_future(seeking)
            finding.add_done_callback(lambda _: self._first.pop(key, None))
        return await asyncio.shield(finding)

    def _seek(self, question: Hashable, moment: Hashable, now: float, find: Callable[[], T]) -> T:
        try:
            found = find()
        finally:
            self._sought.discard(question)
        if question not in self._held and len(self._held) >= self._most:
            self._held.clear()
        self._held[question] = Held(moment, now, found)
        return found

"""Answers that take long to find and serve many requests: found anew while the old one serves."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Standing(Generic[T]):
    """The answers to a few questions, each as of a moment.

    Only who asks for the first time waits. When the moment has passed, the next one to ask gets the
    old answer once more and has the new one found, in a thread.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[Hashable, tuple[Hashable, T]] = {}
        self._sought: set[Hashable] = set()

    async def of(self, question: Hashable, moment: Hashable, find: Callable[[], T]) -> T:
        """The answer to a question, if need be the last moment's. Raises what `find` raises."""
        held = self._held.get(question)
        if held is None:
            return await asyncio.to_thread(self._seek, question, moment, find)
        if held[0] != moment and question not in self._sought:
            self._sought.add(question)
            asyncio.get_running_loop().run_in_executor(None, self._seek, question, moment, find)
        return held[1]

    def _seek(self, question: Hashable, moment: Hashable, find: Callable[[], T]) -> T:
        try:
            found = find()
        finally:
            self._sought.discard(question)
        if question not in self._held and len(self._held) >= self._most:
            self._held.clear()
        self._held[question] = moment, found
        return found

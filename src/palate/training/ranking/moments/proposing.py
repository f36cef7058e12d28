"""Asks the generators of then what they propose; one that breaks proposes nothing, as on a page."""

import logging
from collections.abc import Sequence

from palate.errors import told_of
from palate.funnel.retrieve import Named
from palate.funnel.stages import Generator, name_of
from palate.funnel.types import Candidates, Query

log = logging.getLogger("palate.training")


class Proposing:
    """The generators of today, asked as of any moment: lists have a column for each, always.

    Another package's may be left out at one moment and be there at the next.
    """

    def __init__(self, today: Sequence[Generator]) -> None:
        self.names = tuple(name_of(each) for each in today)
        self._then: list[Named] = []
        self._said: set[str] = set()

    def turn(self, then: Sequence[Generator]) -> None:
        """Ask these from now on."""
        self._then = [(name_of(each), each) for each in then]

    async def ask(self, query: Query, limit: int) -> list[Candidates]:
        """One proposal for each of `names`, in their order."""
        said = {name: await self._one(name, each, query, limit) for name, each in self._then}
        return [said.get(name, Candidates.none()) for name in self.names]

    async def _one(self, name: str, generator: Generator, query: Query, limit: int) -> Candidates:
        try:
            return await generator.generate(query, limit)
        except Exception as error:  # noqa: BLE001  the funnel goes on without it, and so does this
            if name not in self._said:
                self._said.add(name)
                told = "generator %s breaks, and proposes nothing where it does: %s"
                log.warning(told, name, told_of(error))
            return Candidates.none()

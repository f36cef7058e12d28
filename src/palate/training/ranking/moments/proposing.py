"""Asks the generators of then what they propose; one that breaks proposes nothing, as on a page."""

import logging
from collections.abc import Sequence

from palate.funnel.retrieve import Guarded, Named
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
        self._rows_given = 0
        self._guarded = Guarded(log)

    def turn(self, then: Sequence[Generator], rows_given: int) -> None:
        """Ask these from now on; the catalogue of then has given so many rows."""
        self._then = [(name_of(each), each) for each in then]
        self._rows_given = rows_given

    async def ask(self, query: Query, limit: int) -> list[Candidates]:
        """One proposal for each of `names`, in their order."""
        ask, given = self._guarded.ask, self._rows_given
        said = {name: await ask(each, query, limit, given) for name, each in self._then}
        return [said.get(name, Candidates.none()) for name in self.names]

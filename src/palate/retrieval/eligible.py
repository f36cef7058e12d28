"""Whatever passes a narrow filter, so that such a page is full."""

from dataclasses import dataclass
from typing import Self

from palate.funnel.types import Candidates, Query, Reason
from palate.retrieval.anything import Anything
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class Eligible:
    """What the request's filter lets through, where that is little; else nothing.

    Other generators know a few hundred items each, of which a narrow filter may leave none.
    """

    anything: Anything

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(Anything.default(stores))

    async def generate(self, query: Query, limit: int) -> Candidates:
        if query.matching is None or query.matching.rows is None:
            return Candidates.none()
        return await self.anything.generate(query, limit)

    def explain(self, query: Query, row: int) -> Reason:
        return self.anything.explain(query, row)

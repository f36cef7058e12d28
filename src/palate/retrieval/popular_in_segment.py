"""What people like you take in these days."""

from dataclasses import dataclass
from typing import Self

from palate.features.boards import Leaderboards, of_segment
from palate.funnel.types import Candidates, Query, Reason
from palate.retrieval.boards import head
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class PopularInSegment:
    """The head of the visitor's segment: people of the same country, age band and so on."""

    boards: Leaderboards

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.boards)

    async def generate(self, query: Query, limit: int) -> Candidates:
        return head(self.boards, of_segment(query.user.segment), query, limit)

    def explain(self, query: Query, row: int) -> Reason:
        return Reason("popular", trait="your part of the audience")

"""What is on the rise now."""

from dataclasses import dataclass
from typing import Self

from palate.features.boards import GLOBAL, Leaderboards
from palate.funnel.types import Candidates, Query, Reason
from palate.retrieval.boards import head
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class Trending:
    """Items whose recent rate stands out against their usual one."""

    boards: Leaderboards

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.boards)

    async def generate(self, query: Query, limit: int) -> Candidates:
        return head(self.boards, GLOBAL["trending"], query, limit)

    def explain(self, query: Query, row: int) -> Reason:
        return Reason("trending")

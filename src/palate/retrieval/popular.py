"""What most people take in these days."""

from dataclasses import dataclass
from typing import Self

from palate.features.boards import GLOBAL, Leaderboards
from palate.funnel.types import Candidates, Query, Reason
from palate.retrieval.boards import head
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class Popular:
    """The head of the decayed count of everyone: what to show somebody we know nothing of."""

    boards: Leaderboards

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.boards)

    async def generate(self, query: Query, limit: int) -> Candidates:
        return head(self.boards, GLOBAL["popular"], query, limit)

    def explain(self, query: Query, row: int) -> Reason:
        return Reason("popular")

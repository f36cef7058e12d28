"""What people around you take in these days."""

from dataclasses import dataclass
from typing import Self

from palate.features.boards import Leaderboards, of_segment
from palate.features.segments import region_of
from palate.funnel.types import Candidates, Query, Reason
from palate.retrieval.boards import head
from palate.settings import FeatureSettings
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class PopularInRegion:
    """The head of the region that the request names, else of the profile's country."""

    boards: Leaderboards
    settings: FeatureSettings

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.boards, stores.settings.features)

    async def generate(self, query: Query, limit: int) -> Candidates:
        named = region_of(query.region, self.settings)
        return head(self.boards, of_segment(named or query.user.region), query, limit)

    def explain(self, query: Query, row: int) -> Reason:
        return Reason("popular", trait=query.region.upper() or "your region")

"""What many of those took who took what you took: for visitors of whom little is known."""

from dataclasses import dataclass
from typing import Self

from palate.catalog.columns import ItemColumns
from palate.funnel.types import Candidates, Query, Reason
from palate.models.linear import Linear
from palate.retrieval.linear import reason_by
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class Together:
    """Counts of people who took both, over the whole history.

    With five acts known it finds more than anything that weighs them finely; with fifty, less.
    """

    model: Linear | None
    """None where the release has none."""
    columns: ItemColumns
    history: int = 50
    """How many of the visitor's last items speak."""

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.release.together if stores.release else None, stores.columns)

    async def generate(self, query: Query, limit: int) -> Candidates:
        if self.model is None:
            return Candidates.none()
        history = query.about(self.history)
        servable = query.servable(self.columns)
        return Candidates(*self.model.candidates(history, servable, query.excluded, limit))

    def explain(self, query: Query, row: int) -> Reason:
        return reason_by(self.model, query, row, self.history)

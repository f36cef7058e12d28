"""What everything you ever took in speaks for."""

from dataclasses import dataclass
from typing import Self

from palate.catalog.columns import ItemColumns
from palate.funnel.types import Candidates, Query, Reason
from palate.models import linear
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class Linear:
    """The learnt item filter over the whole history: lasting tastes, where covisit has moods."""

    model: linear.Linear | None
    """None where the release has none."""
    columns: ItemColumns
    history: int = 200
    """How many of the visitor's last items speak."""

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.release.linear if stores.release else None, stores.columns)

    async def generate(self, query: Query, limit: int) -> Candidates:
        if self.model is None:
            return Candidates.none()
        history = query.about(self.history)
        servable = query.servable(self.columns)
        return Candidates(*self.model.candidates(history, servable, query.excluded, limit))

    def explain(self, query: Query, row: int) -> Reason:
        if query.seed_item >= 0:
            return Reason("similar_to_item", (query.seed_item,), (1.0,))
        model = self.model
        if model is None:
            return Reason("taste")
        history = query.about(self.history)
        scaled = query.once((model, self.history), lambda: model.scaled(history))
        rows, parts = model.reasons_of(scaled, row)
        return Reason("because_of_items", tuple(rows.tolist()), tuple(parts.tolist()))

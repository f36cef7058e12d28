"""What goes with the taste that explains all you took in."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from palate.catalog.columns import ItemColumns
from palate.funnel.types import Candidates, Query, Reason
from palate.models import ials
from palate.stores import Stores

BECAUSE = 2


@dataclass(frozen=True, slots=True)
class Ials:
    """Nearest item factors to the visitor's, solved for at this moment; new items by content."""

    model: ials.Ials | None
    """None where the release has none."""
    columns: ItemColumns
    history: int = 200
    """How many of the visitor's last items tell the taste."""

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.release.ials if stores.release else None, stores.columns)

    async def generate(self, query: Query, limit: int) -> Candidates:
        if self.model is None:
            return Candidates.none()
        history = query.about(self.history)
        allowed = query.matching.allowed if query.matching else None
        found = self.model.candidates(history, self.columns, query.excluded, limit, allowed)
        return Candidates(*found)

    def explain(self, query: Query, row: int) -> Reason:
        if query.seed_item >= 0:
            return Reason("similar_to_item", (query.seed_item,), (1.0,))
        if self.model is None:
            return Reason("taste")
        model, history = self.model, query.about(self.history)
        vectors, usable = query.once("taste", lambda: model.item_vectors(history, self.columns))
        wanted = model.item_vectors(np.array([row], np.int32), self.columns)[0][0]
        near = np.argsort(-np.where(usable, vectors @ wanted, -np.inf), kind="stable")[:BECAUSE]
        return Reason("taste", tuple(history[near].tolist()))

"""The learnt ranker: a network on features, calibrated, its heads weighed by the value formula."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from palate.arrays import Floats
from palate.funnel.stages import Ranker
from palate.funnel.types import Pool, Query
from palate.models.ranker import RankerModel
from palate.ranking.fusion import Fusion
from palate.ranking.value import weights_of
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class Network:
    """Scores every candidate by what it is expected to bring."""

    model: RankerModel | None
    value: Floats
    """(heads,): the value formula."""

    @property
    def reads(self) -> tuple[str, ...]:
        return self.model.features if self.model else ()

    @classmethod
    def default(cls, stores: Stores) -> Self:
        model = stores.release.ranker if stores.release else None
        formula = stores.settings.ranking.value
        return cls(model, weights_of(formula, model.heads if model else tuple(formula)))

    def score(self, query: Query, pool: Pool, features: Floats) -> Floats:
        if self.model is None:
            return np.zeros(len(pool), np.float32)
        scores: Floats = self.model.predict(features) @ self.value
        return scores


def best_ranker(stores: Stores) -> Ranker:
    """The release's network; weighted fusion where there is none, or the gate refused it."""
    if stores.release and stores.release.ranker:
        return Network.default(stores)
    return Fusion.default(stores)

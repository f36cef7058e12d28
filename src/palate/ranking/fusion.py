"""Ranking without a model: each generator votes by rank, with a weight."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from palate.arrays import Floats
from palate.funnel.types import Pool, Query
from palate.funnel.worth import SENSIBLE, heard, worth
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class Fusion:
    """Weighted reciprocal rank fusion of the generators."""

    weights: Mapping[str, float] = field(default_factory=lambda: SENSIBLE)
    """By generator, and by kind of visit; training fits them, see `Release.fusion`."""

    @property
    def reads(self) -> tuple[str, ...]:
        return ()

    @classmethod
    def default(cls, stores: Stores) -> Self:
        fitted = stores.release.fusion if stores.release else {}
        return cls(fitted or SENSIBLE)

    def score(self, query: Query, pool: Pool, features: Floats) -> Floats:
        scores: Floats = worth(pool, self.weights, *heard(query)).sum(axis=1)
        return scores

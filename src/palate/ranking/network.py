"""The learnt ranker: a network on features, calibrated, its heads weighed by the value formula."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from palate.arrays import Floats, Rows
from palate.catalog.columns import ItemColumns
from palate.funnel.stages import Ranker
from palate.funnel.types import Expected, Pool, Query
from palate.models.ranker import HEADS, RankerModel, Taste, unit
from palate.models.two_tower import TwoTower, outcome_codes
from palate.models.visits import visit_of
from palate.ranking.fusion import Fusion
from palate.ranking.value import shared, weights_of
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class Network:
    """Scores every candidate by what it is expected to bring."""

    model: RankerModel | None
    value: Floats
    """(heads,): the value formula."""
    stores: Stores
    fusion: Fusion = field(default_factory=Fusion)
    """Heard beside it in the kinds of visit in which the gate found that it should be."""

    @property
    def reads(self) -> tuple[str, ...]:
        return self.model.features if self.model else ()

    @classmethod
    def default(cls, stores: Stores) -> Self:
        model = stores.release.ranker if stores.release else None
        formula, heads = stores.settings.ranking.value, model.heads if model else HEADS
        told = {h: w for h, w in formula.items() if h in heads or h not in HEADS}
        return cls(model, weights_of(told, heads), stores, Fusion.default(stores))

    def score(self, query: Query, pool: Pool, features: Floats) -> Floats:
        return self.weigh(query, pool, features)[0]

    def weigh(self, query: Query, pool: Pool, features: Floats) -> tuple[Floats, Expected | None]:
        """The scores, and what they were read from, where a release can tell how sure it is."""
        if self.model is None:
            return np.zeros(len(pool), np.float32), None
        model, facts = self.model, self.model.facts
        heads, layer = model.said(features, self._taste(query, pool), query.surface)
        visit = visit_of(query.known, query.idle)
        own, expected = model.personal(pool.rows, heads @ self.value, visit), None
        share = facts.shares.get(visit, 0.0)
        if layer is not None and model.doubt is not None and share < 1.0:
            expected = Expected(pool.rows, heads[:, 0], layer, model.doubt, facts.stray)
        if not share:
            return own, expected
        fused = self.fusion.score(query, pool, features)
        return shared(own, fused, share, facts.height), expected

    def _taste(self, query: Query, pool: Pool) -> Taste | None:
        """What the network compares: candidates and last items, as unit vectors."""
        facts, release = self.model.facts if self.model else None, self.stores.release
        if facts is None or release is None or not facts.vectors:
            return None
        last = slice(-facts.history, None)
        rows, signals = query.user.history[last], query.user.signals[last]
        candidates, history = self._vectors(pool.rows), self._vectors(rows)
        known = history.any(axis=1)
        return Taste(candidates, history[known], outcome_codes(signals[known]))

    def _vectors(self, rows: Rows) -> Floats:
        release = self.stores.release
        return compared_vectors(release.two_tower if release else None, rows, self.stores.columns)


def compared_vectors(tower: TwoTower | None, rows: Rows, columns: ItemColumns) -> Floats:
    """(n, dim) of unit length, 0 where unknown: by the tower, by content where there is none."""
    if tower is not None:
        return unit(tower.vectors(rows, columns))
    return unit(columns.read(rows, ("content",))["content"])


def best_ranker(stores: Stores) -> Ranker:
    """The release's network; weighted fusion where there is none, or the gate refused it."""
    if stores.release and stores.release.ranker:
        return Network.default(stores)
    return Fusion.default(stores)

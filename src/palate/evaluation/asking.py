"""Ask one user's question of every model at once: each stage of the funnel is a model too."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from palate.arrays import Doubles, Rows
from palate.evaluation.overhearing import said
from palate.evaluation.ranking import best
from palate.evaluation.split import Case
from palate.funnel.engine import Funnel
from palate.funnel.retrieve import cleaned
from palate.funnel.stages import name_of
from palate.funnel.types import Pool, Query
from palate.ranking.fusion import Fusion

DEPTH = 500
"""How deep a generator is asked; also the engine's pool."""
STAGES = ("union", "fusion", "ranker", "funnel")
"""`union` is what retrieval hands to the ranker, in no order that means anything; `fusion` and
`ranker` are that pool ordered without rules; `funnel` is what the visitor gets."""


@dataclass(frozen=True, slots=True)
class Models:
    """Everything that can answer a question, and which of it is wanted."""

    funnel: Funnel
    """With generators that are `overheard`."""
    fusion: Fusion
    counted: Mapping[str, Doubles]
    """Baselines: scores by item row."""
    wanted: Collection[str]
    """Names to answer for; empty is all."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every wanted model, baselines first, then down the funnel."""
        generators = [name_of(each) for each in self.funnel.generators]
        stages = [each for each in STAGES if each != "ranker" or self.funnel.ranker.reads]
        return tuple(n for n in (*self.counted, *generators, *stages) if self._wants(n))

    async def ask(self, case: Case, query: Query) -> dict[str, Rows]:
        """Each wanted model's list, best first."""
        lists = {
            name: best(scores, case.taken, DEPTH)
            for name, scores in self.counted.items()
            if self._wants(name)
        }
        stages = await self._stages(query) if any(map(self._wants, STAGES)) else {}
        for each in self.funnel.generators:
            if self._wants(name := name_of(each)):
                found = said(each) if stages else await each.generate(query, DEPTH)
                lists[name] = cleaned(found, self.funnel.stores.columns.size)[0].rows
        return lists | stages

    async def _stages(self, query: Query) -> dict[str, Rows]:
        answer = await self.funnel.answer(query)
        pool, ranked = answer.trace.pool, answer.trace.ranked
        found = {
            "union": pool.rows if pool else _nothing(),
            "fusion": self._fused(query, pool) if pool else _nothing(),
            "ranker": ranked.rows if ranked else _nothing(),
            "funnel": answer.slate.rows,
        }
        return {name: found[name] for name in self.names if name in found}

    def _fused(self, query: Query, pool: Pool) -> Rows:
        features = np.empty((len(pool), 0), np.float32)
        scores = self.fusion.score(query, pool, features)
        return pool.rows[np.lexsort((pool.rows, -scores))]

    def _wants(self, name: str) -> bool:
        return not self.wanted or name in self.wanted


def _nothing() -> Rows:
    return np.empty(0, np.int32)

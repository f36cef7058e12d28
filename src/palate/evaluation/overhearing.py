"""What generators said to the funnel and the ranker read, so that nobody is asked a second time."""

from dataclasses import replace
from typing import Any, Self

import numpy as np

from palate.arrays import Floats, Rows
from palate.funnel.engine import Funnel
from palate.funnel.stages import Generator, Ranker
from palate.funnel.types import Candidates, Pool, Query, Reason
from palate.models.trees import Trees
from palate.ranking.fusion import Fusion
from palate.ranking.network import Network, best_ranker
from palate.stores import Stores


class Overheard:
    """A generator whose last answer is remembered."""

    said = Candidates.none()

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    async def generate(self, query: Query, limit: int) -> Candidates:
        self.said = Candidates.none()
        self.said = await self._generator.generate(query, limit)
        return self.said

    def explain(self, query: Query, row: int) -> Reason:
        return self._generator.explain(query, row)

    def __getattr__(self, name: str) -> Any:
        """What else the generator says of itself: `explores`, `remote`."""
        return getattr(self._generator, name)


class Watched:
    """A ranker that remembers what it read last."""

    features: Floats = np.zeros((0, 0), np.float32)
    rows: Rows = np.zeros(0, np.int32)

    def __init__(self, ranker: Ranker) -> None:
        self.ranker = ranker

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(best_ranker(stores))

    @property
    def reads(self) -> tuple[str, ...]:
        return self.ranker.reads

    def score(self, query: Query, pool: Pool, features: Floats) -> Floats:
        self.rows, self.features = pool.rows, features.copy()
        return self.ranker.score(query, pool, features)


def overheard(funnel: Funnel) -> Funnel:
    """The same funnel with generators that remember, under their own names, and such a ranker."""
    each = (type(type(g).__name__, (Overheard,), {})(g) for g in funnel.generators)
    ranker = type(type(funnel.ranker).__name__, (Watched,), {})(funnel.ranker)
    return replace(funnel, generators=tuple(each), ranker=ranker)


def trees_of(ranker: Ranker) -> Trees | None:
    """The boosted trees of a watched ranker; None where it has none."""
    own = ranker.ranker if isinstance(ranker, Watched) else ranker
    return own.model.trees if isinstance(own, Network) and own.model else None


def fuses(ranker: Ranker) -> bool:
    """Whether a watched ranker is weighted fusion, which has a row of its own."""
    return isinstance(ranker.ranker if isinstance(ranker, Watched) else ranker, Fusion)


def grown(ranker: Ranker) -> tuple[Rows, Floats]:
    """What a watched ranker ordered last, and what its trees alone say of it."""
    trees = trees_of(ranker)
    if trees is None or not isinstance(ranker, Watched):
        return np.zeros(0, np.int32), np.zeros(0, np.float32)
    return ranker.rows, trees(ranker.features)


def said(generator: object) -> Candidates:
    """A generator's last answer to its funnel."""
    return generator.said if isinstance(generator, Overheard) else Candidates.none()

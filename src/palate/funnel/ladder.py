"""What a request falls back on, rung by rung, when the rung above cannot be trusted."""

from collections.abc import Mapping

import numpy as np

from palate.arrays import Rows
from palate.funnel.types import NOTHING, Pool, Query, Slate, Step
from palate.funnel.worth import heard, worth
from palate.index.matching import Matching
from palate.stores import Stores

STEPS: tuple[Step, ...] = ("full", "retrieval", "last_slate", "popular", "static")
"""Best first. `retrieval` needs no ranker, `last_slate` no generator, `static` no state."""
POOLED: frozenset[Step] = frozenset({"full", "retrieval"})
"""The rungs that ask generators."""


def nothing(query: Query) -> Rows:  # noqa: ARG001  the form of every last slate
    """No last slate is kept."""
    return NOTHING


async def unlimited(query: Query) -> Matching | None:  # noqa: ARG001  the form of every limit
    """Generators may propose anything."""
    return None


def by_rank(query: Query, pool: Pool, credit: Mapping[str, float]) -> Slate:
    """Order by retrieval alone: needs no model and no features."""
    scores = worth(pool, credit, *heard(query)).sum(axis=1)
    return Slate(pool.rows, scores).scored(scores)


def popular(stores: Stores, query: Query, limit: int) -> Rows:
    """The heads of the visitor's segment, then of everyone."""
    segment, _ = stores.boards.segment(query.user.segment, limit)
    everyone, _ = stores.boards.top("popular", limit)
    rows = np.concatenate([segment, everyone])
    _, first = np.unique(rows, return_index=True)
    return rows[np.sort(first)].astype(np.int32)

"""Reading a leaderboard for one visitor: past what they must not see."""

from collections.abc import Callable

import numpy as np

from palate.arrays import Floats, Rows
from palate.funnel.types import Candidates, Query
from palate.index.slots import first

WHOLE = 1 << 31
"""Who knows how deep what passes a filter lies."""


def head(board: Callable[[int], tuple[Rows, Floats]], query: Query, limit: int) -> Candidates:
    """The best `limit` of a board that the query allows; reads as deep as that may need."""
    depth = WHOLE if query.matching else limit + len(query.excluded)
    rows, scores = board(depth)
    if query.matching is None:
        return Candidates(*first(rows, scores, query.excluded, limit))
    kept = np.flatnonzero(query.allows(rows))[:limit]
    return Candidates(rows.take(kept), scores.take(kept))

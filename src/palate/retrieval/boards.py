"""Reading a leaderboard for one visitor: past what they must not see."""

from collections.abc import Callable

from palate.arrays import Floats, Rows
from palate.funnel.types import Candidates, Query


def head(board: Callable[[int], tuple[Rows, Floats]], query: Query, limit: int) -> Candidates:
    """The best `limit` of a board that are not excluded; reads as deep as that may need."""
    entries = Candidates(*board(limit + len(query.excluded)))
    return entries.take(query.allows(entries.rows)).take(slice(0, limit))

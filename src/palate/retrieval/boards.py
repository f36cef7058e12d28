"""Reading a leaderboard for one visitor: past what they must not see."""

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Rows
from palate.features.boards import Held, Leaderboards
from palate.funnel.types import Candidates, Query
from palate.index.slots import first
from palate.jit import kernel


def head(boards: Leaderboards, board: int, query: Query, limit: int) -> Candidates:
    """The best `limit` of a board, by its number, that the query allows; as deep as that takes."""
    allowed = query.matching.mask.view(np.uint8) if query.matching else None
    return Candidates(*_past(boards.held, board, limit, query.excluded, allowed))


@kernel
def _past(
    held: Held,
    board: int,
    limit: int,
    excluded: Rows,
    allowed: NDArray[np.uint8] | None,
) -> tuple[Rows, Floats]:
    """Of a board that there is not, nothing."""
    rows, scores, sizes, turned = held
    side = turned[0]
    size = sizes[board, side] if 0 <= board < len(sizes) else 0
    at = max(board, 0) if size else 0
    return first(rows[at, side, :size], scores[at, side, :size], excluded, limit, allowed)

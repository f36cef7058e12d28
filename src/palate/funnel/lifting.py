"""What it would take to be among the candidates: how high each generator would have to rank it."""

from collections.abc import Sequence

import numpy as np

from palate.arrays import Rows
from palate.funnel.engine import Funnel
from palate.funnel.merge import merge
from palate.funnel.types import Candidates, Query
from palate.funnel.worth import BY_LOT


def place_of(funnel: Funnel, query: Query, proposals: Sequence[Candidates], row: int) -> int:
    """Its place, from 1, where the pool had room for everything; 0 where nobody proposed it."""
    there = merge(funnel.names, proposals, _everything(proposals), query.known, funnel.admission)
    at = np.flatnonzero(there.rows == row)
    return int(at[0]) + 1 if len(at) else 0


def needed(
    funnel: Funnel, query: Query, proposals: Sequence[Candidates], row: int
) -> tuple[int, ...]:
    """By generator: the lowest rank there, from 1, at which `row` would be in the pool.

    All others say what they said; one rank lower it would not be. 0 where not even the first
    rank would do, and where a lot decides, which nobody can better.
    """

    def enters(which: int, rank: int) -> bool:
        if rank > min(len(proposals[which]) + 1, funnel.pool):
            return False
        told = list(proposals)
        told[which] = raised(told[which], row, rank, funnel.pool)
        pool = merge(funnel.names, told, funnel.pool, query.known, funnel.admission)
        return bool((pool.rows == row).any())

    found = []
    for which, (name, said) in enumerate(zip(funnel.names, proposals, strict=True)):
        if name in BY_LOT:
            found.append(0)
            continue
        good, bad = 0, min(len(said) + 1, funnel.pool) + 1
        while bad - good > 1:
            rank = (good + bad) // 2
            good, bad = (rank, bad) if enters(which, rank) else (good, rank)
        while good and enters(which, good + 1):  # whoever it pushes down makes room too
            good += 1
        found.append(good)
    return tuple(found)


def raised(said: Candidates, row: int, rank: int, limit: int) -> Candidates:
    """The proposal with `row` at `rank`; whoever stood there and below moves down."""
    kept = said.take(said.rows != row)
    rows: Rows = np.insert(kept.rows, rank - 1, row).astype(np.int32)
    return Candidates(rows, np.insert(kept.scores, rank - 1, np.float32(0))).take(slice(limit))


def _everything(proposals: Sequence[Candidates]) -> int:
    return max(1, sum(map(len, proposals)))

"""One pool out of many proposals: round-robin by rank, every generator's score and rank kept."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Rows
from palate.funnel.types import Candidates, Pool
from palate.jit import kernel


def merge(names: Sequence[str], proposals: Sequence[Candidates], limit: int) -> Pool:
    """Merge what the generators proposed into at most `limit` distinct rows.

    First all first choices in the order of `names`, then all second choices, and so on. While there
    is anything else to take, no generator brings more than twice an even share of those that
    spoke, so a long list cannot crowd out others; what is left is filled in the same order.
    An entry keeps the score and rank of *each* generator that proposed it (NaN and 0 where not).
    """
    ends = np.cumsum([0, *map(len, proposals)], dtype=np.int64)
    if not ends[-1]:
        return Pool.none(tuple(names))
    rows = np.concatenate([each.rows for each in proposals]).astype(np.int32, copy=False)
    scores = np.concatenate([each.scores for each in proposals]).astype(np.float32, copy=False)
    quota = max(1, -(-2 * limit // sum(1 for each in proposals if len(each))))
    taken = np.full(min(limit, len(rows)), -1, np.int32)
    table = np.full(_table_size(len(taken)), -1, np.int32)
    taken = taken[: _take(rows, ends, quota, taken, table)]
    return Pool(taken, *_provenance(rows, scores, ends, taken, table), tuple(names))


def _table_size(entries: int) -> int:
    return 1 << max(4, (4 * entries).bit_length())


@kernel
def _slot(table: NDArray[np.int32], taken: Rows, row: int) -> int:
    """Where `row` is in the open-addressing table, or the free slot where it belongs."""
    mask = len(table) - 1
    at = (np.int64(row) * 2654435769 >> 7) & mask
    while table[at] >= 0 and taken[table[at]] != row:
        at = (at + 1) & mask
    return int(at)


@kernel
def _take(
    rows: Rows, ends: NDArray[np.int64], quota: int, taken: Rows, table: NDArray[np.int32]
) -> int:
    """Fill `taken` by rank, within quotas first; returns how many there were to take."""
    brought = np.zeros(len(ends) - 1, np.int64)
    found = 0
    for bound in (quota, len(rows)):
        for rank in range(np.max(ends[1:] - ends[:-1])):
            for g in range(len(ends) - 1):
                at = ends[g] + rank
                if found == len(taken) or at >= ends[g + 1] or brought[g] >= bound:
                    continue
                slot = _slot(table, taken, rows[at])
                if table[slot] < 0:
                    table[slot], taken[found] = found, rows[at]
                    brought[g] += 1
                    found += 1
    return found


@kernel
def _provenance(
    rows: Rows, scores: Floats, ends: NDArray[np.int64], taken: Rows, table: NDArray[np.int32]
) -> tuple[Floats, NDArray[np.int16]]:
    """(n, generators): each generator's score and rank of what was taken."""
    found = np.full((len(taken), len(ends) - 1), np.nan, np.float32)
    ranks = np.zeros((len(taken), len(ends) - 1), np.int16)
    for g in range(len(ends) - 1):
        for at in range(ends[g], ends[g + 1]):
            entry = table[_slot(table, taken, rows[at])]
            if entry >= 0 and ranks[entry, g] == 0:
                found[entry, g] = scores[at]
                ranks[entry, g] = min(at - ends[g] + 1, 32767)
    return found, ranks

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
    is anything else to take, no generator brings more than its quota of twice an even share, so a
    long list cannot crowd out short ones; what is left of the pool is then filled in the same order.
    An entry keeps the score and rank of *each* generator that proposed it (NaN and 0 where not).
    """
    count = len(names)
    ends = np.cumsum([len(each) for each in proposals], dtype=np.int64)
    rows = _joined([each.rows for each in proposals], np.int32)
    scores = _joined([each.scores for each in proposals], np.float32)
    size = min(limit, len(rows))
    out = np.empty(size, np.int32)
    provenance = np.full((size, count), np.nan, np.float32)
    ranks = np.zeros((size, count), np.int16)
    quota = max(1, -(-2 * limit // max(count, 1)))
    found = _merge(rows, scores, ends, quota, out, provenance, ranks)
    return Pool(out[:found], provenance[:found], ranks[:found], tuple(names))


def _joined(parts: list[NDArray[np.generic]], dtype: type) -> NDArray[np.generic]:
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.empty(0, dtype)


@kernel
def _slot(table: NDArray[np.int32], out: Rows, row: int) -> int:
    """Where `row` is in the open-addressing table, or the free slot where it belongs."""
    mask = len(table) - 1
    at = (row * 2654435769 >> 7) & mask
    while table[at] >= 0 and out[table[at]] != row:
        at = (at + 1) & mask
    return at


@kernel
def _merge(
    rows: Rows,
    scores: Floats,
    ends: NDArray[np.int64],
    quota: int,
    out: Rows,
    provenance: Floats,
    ranks: NDArray[np.int16],
) -> int:
    size = 16
    while size < 4 * len(out):
        size *= 2
    table = np.full(size, -1, np.int32)
    given = np.zeros(len(ends), np.int64)
    longest = 0
    for g in range(len(ends)):
        longest = max(longest, ends[g] - (ends[g - 1] if g else 0))
    found = 0
    for bounded in (True, False):
        for rank in range(longest):
            for g in range(len(ends)):
                at = rank + (ends[g - 1] if g else 0)
                if found == len(out) or at >= ends[g] or (bounded and given[g] >= quota):
                    continue
                slot = _slot(table, out, rows[at])
                if table[slot] < 0:
                    out[found] = rows[at]
                    table[slot] = found
                    given[g] += 1
                    found += 1
    for g in range(len(ends)):
        start = ends[g - 1] if g else 0
        for at in range(start, ends[g]):
            entry = table[_slot(table, out, rows[at])]
            if entry >= 0 and ranks[entry, g] == 0:
                provenance[entry, g] = scores[at]
                ranks[entry, g] = min(at - start + 1, 32767)
    return found

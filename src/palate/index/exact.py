"""Looks at every vector: exact, and the fastest choice for up to some ten thousand items."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Mask, Rows
from palate.jit import swift

MAGNITUDE, LOW = np.int32(0x7FFFFFFF), np.int64(0xFFFFFFFF)


def best(rows: Rows, scores: Floats, limit: int) -> tuple[Rows, Floats]:
    """Pick the `limit` best of a scored list, best first, equal scores in row order."""
    keys = _keys(rows, scores)
    if 0 < limit < len(keys):
        keys = np.partition(keys, limit - 1)[:limit]
    keys = np.sort(keys)[: max(limit, 0)]
    return (keys & LOW).astype(np.int32), _scores(keys)


def _keys(rows: Rows, scores: Floats) -> NDArray[np.int64]:
    """One number per entry that rises from the best to the worst: one sort, no indirection."""
    bits = (scores + np.float32(0.0)).view(np.int32)  # -0 becomes 0
    falling = ~(bits ^ ((bits >> 31) & MAGNITUDE))
    keys: NDArray[np.int64] = (falling.astype(np.int64) << 32) | rows
    return keys


def _scores(keys: NDArray[np.int64]) -> Floats:
    rising = ~(keys >> 32).astype(np.int32)
    bits = rising ^ ((rising >> 31) & MAGNITUDE)
    return np.asarray(bits.view(np.float32))


def among(rows: Rows, allowed: Mask) -> Mask:
    """True where `allowed` is; False for rows beyond it."""
    inside: Mask = rows < len(allowed)
    inside[inside] = allowed[rows[inside]]
    return inside


@swift
def dots(vectors: Floats, rows: Rows, wanted: Floats) -> Floats:
    """(n,): dot products of some rows with one vector; nothing is copied."""
    out = np.empty(len(rows), np.float32)
    for at in range(len(rows)):
        total = np.float32(0.0)
        for i in range(len(wanted)):
            total += vectors[rows[at], i] * wanted[i]
        out[at] = total
    return out


class ExactIndex:
    """All vectors in one matrix.

    `rows` is (n,) int32, distinct; `vectors` is (n, dim) float32, aligned with it.
    """

    def __init__(self, rows: Rows, vectors: Floats) -> None:
        self._rows = np.ascontiguousarray(rows, np.int32)
        self._vectors = np.ascontiguousarray(vectors, np.float32)

    def search(
        self, vector: Floats, limit: int, allowed: Mask | None = None
    ) -> tuple[Rows, Floats]:
        if allowed is None:
            return best(self._rows, self._vectors @ vector, limit)
        places = np.flatnonzero(among(self._rows, allowed))
        return best(self._rows[places], self._vectors[places] @ vector, limit)

    def save(self, folder: Path) -> None:
        pass

    def __len__(self) -> int:
        return len(self._rows)

"""Looks at every vector: exact, and the fastest choice for up to some ten thousand items."""

from pathlib import Path

import numpy as np

from palate.arrays import Floats, Mask, Rows


def best(rows: Rows, scores: Floats, limit: int) -> tuple[Rows, Floats]:
    """Pick the `limit` best of a scored list, best first, equal scores in row order."""
    if 0 < limit < len(rows):
        kept = np.argpartition(-scores, limit - 1)[:limit]
        worst = scores[kept].min()
        ties = np.flatnonzero(scores == worst)
        if len(ties) > 1:  # which of the tied ones argpartition kept is its own affair
            kept = np.concatenate([np.flatnonzero(scores > worst), ties])
        rows, scores = rows[kept], scores[kept]
    order = np.lexsort((rows, -scores))[:limit]
    return rows[order], scores[order]


def among(rows: Rows, allowed: Mask) -> Mask:
    """True where `allowed` is; False for rows beyond it."""
    inside: Mask = rows < len(allowed)
    inside[inside] = allowed[rows[inside]]
    return inside


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

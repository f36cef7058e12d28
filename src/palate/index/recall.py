"""How much of the truth an index finds, on the questions that it will be asked."""

from collections.abc import Sequence

import numpy as np

from palate.arrays import Floats, Rows
from palate.index.protocol import Index

CHUNK = 1 << 24
"""Dot products computed at once."""
DEPTH = 500
"""Candidates of a request."""


def nearest(rows: Rows, vectors: Floats, asked: Floats, limit: int) -> list[Rows]:
    """For each of `asked` (n, dim) the `limit` rows of largest dot products, by looking at all.

    `rows` (m,), `vectors` (m, dim). The work is n·m·dim, the memory bounded.
    """
    step = max(CHUNK // max(len(asked), 1), limit)
    scores = np.empty((len(asked), 0), np.float32)
    found = np.empty((len(asked), 0), np.int32)
    for at in range(0, len(rows), step):
        part = asked @ vectors[at : at + step].T
        scores = np.concatenate([scores, part], axis=1)
        here = np.broadcast_to(rows[at : at + step], part.shape)
        found = np.concatenate([found, here], axis=1)
        if scores.shape[1] > limit:
            first = np.argpartition(-scores, limit - 1, axis=1)[:, :limit]
            scores = np.take_along_axis(scores, first, axis=1)
            found = np.take_along_axis(found, first, axis=1)
    return list(found)


def recall(index: Index, asked: Floats, truth: Sequence[Rows]) -> float:
    """Mean share of the true rows found when asked for as many; 1 where nothing is asked."""
    shares = [
        len(np.intersect1d(index.search(vector, len(true))[0], true)) / max(len(true), 1)
        for vector, true in zip(asked, truth, strict=True)
    ]
    return float(np.mean(shares)) if shares else 1.0

"""Looks at every vector: exact, and the fastest choice for up to some ten thousand items."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Mask, Rows
from palate.index.protocol import Allowed
from palate.jit import kernel
from palate.keys import ROW, cut, key_of, score_of

SAMPLE, FEWEST = 256, 4
"""Keys that tell where the best end; worth it from so many times as many."""
FEW = 3
"""Up to so many times as many as are wanted are sorted as they are, without parting them first."""
DEVIATIONS = 4.0
"""How far beyond its place in the sample the bound is set: one in ten thousand misses."""


def best(rows: Rows, scores: Floats, limit: int) -> tuple[Rows, Floats]:
    """Pick the `limit` best of a scored list, best first, equal scores in row order."""
    return _in_order(_foremost(rows, scores, limit), limit)


def best_keys(keys: NDArray[np.int64], limit: int) -> tuple[Rows, Floats]:
    """The same of keys, which rise from the best entry to the worst."""
    return _in_order(_likely(keys, limit).copy(), limit)


def _in_order(keys: NDArray[np.int64], limit: int) -> tuple[Rows, Floats]:
    """Of keys that may be written over."""
    if len(keys) > FEW * limit > 0:
        keys = np.partition(keys, limit - 1)[:limit]
    keys.sort()
    return _entries(keys[: max(limit, 0)])


@kernel
def _foremost(rows: Rows, scores: Floats, limit: int) -> NDArray[np.int64]:
    """Keys of at least the `limit` best, and mostly of few more."""
    return _likely(_keys(rows, scores), limit)


@kernel
def _likely(keys: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """At least the `limit` smallest keys, and mostly few more.

    What lies below a bound that a sample tells; all where the sample misled. To partition all of
    them takes four times as long.
    """
    step = len(keys) // SAMPLE
    if step < FEWEST or not 0 < limit < len(keys):
        return keys
    sample = keys[::step].copy()
    within = limit * len(sample) / len(keys)
    place = int(within + DEVIATIONS * (1.0 + np.sqrt(within)))
    if place >= len(sample):
        return keys
    cut(sample, place + 1)
    found = _below(keys, sample[place])
    return found if len(found) >= limit else keys


@kernel
def _below(keys: NDArray[np.int64], bound: int) -> NDArray[np.int64]:
    """Those that are at most `bound`, in their order; no branch, for none could be foreseen."""
    found, count = np.empty(len(keys) + 1, np.int64), 0
    for at in range(len(keys)):
        found[count] = keys[at]
        count += keys[at] <= bound
    return found[:count]


@kernel
def _keys(rows: Rows, scores: Floats) -> NDArray[np.int64]:
    keys = np.empty(len(rows), np.int64)
    for at in range(len(rows)):
        keys[at] = key_of(scores[at], rows[at])
    return keys


@kernel
def _entries(keys: NDArray[np.int64]) -> tuple[Rows, Floats]:
    rows, scores = np.empty(len(keys), np.int32), np.empty(len(keys), np.float32)
    for at in range(len(keys)):
        rows[at], scores[at] = np.int32(keys[at] & ROW), score_of(keys[at])
    return rows, scores


def among(rows: Rows, allowed: Mask) -> Mask:
    """True where `allowed` is; False for rows beyond it."""
    inside: Mask = rows < len(allowed)
    inside[inside] = allowed[rows[inside]]
    return inside


@kernel
def largest(values: Floats, limit: int) -> NDArray[np.int64]:
    """Places of the few largest, largest first, equals in their order: for a handful of many.

    `values` are numbers (not NaN).
    """
    places = np.empty(min(limit, len(values)), np.int64)
    bound, last = np.float32(np.inf), -1
    for found in range(len(places)):
        most = -1
        for at in range(len(values)):
            after = values[at] < bound or (values[at] == bound and at > last)
            if after and (most < 0 or values[at] > values[most]):
                most = at
        places[found], bound, last = most, values[most], most
    return places


class ExactIndex:
    """All vectors in one matrix.

    `rows` is (n,) int32, distinct; `vectors` is (n, dim) float32, aligned with it.
    """

    def __init__(self, rows: Rows, vectors: Floats) -> None:
        self._rows = np.ascontiguousarray(rows, np.int32)
        self._vectors = np.ascontiguousarray(vectors, np.float32)

    def search(
        self, vector: Floats, limit: int, allowed: Allowed | None = None
    ) -> tuple[Rows, Floats]:
        if allowed is None:
            return best(self._rows, self._vectors @ vector, limit)
        places = np.flatnonzero(among(self._rows, allowed.mask))
        return best(self._rows[places], self._vectors[places] @ vector, limit)

    def save(self, folder: Path) -> None:
        pass

    def __len__(self) -> int:
        return len(self._rows)

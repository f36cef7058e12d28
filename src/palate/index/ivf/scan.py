"""The compiled loops of the clustered index: one pass over the bytes, keeping the best so far.

A vector is `scale` times whole numbers from -127 to 127, the question one of 16 bits: what the
compiler makes of their product is ``vpmaddwd`` where the processor has it, and plain code where it
has not. Whole numbers add up the same in any order, so an answer is the same on any machine.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Mask, Rows
from palate.jit import ahead, kernel
from palate.keys import ROW, cut, key_of

BYTE, WORD = 127, 32_767
SOON = 12
"""A row that lies anywhere is asked for so many rows early."""


class Lists(NamedTuple):
    """All vectors, cluster by cluster; within one by row."""

    codes: NDArray[np.int8]
    """(n, dim): whole numbers."""
    scales: Floats
    """(n,): what they are times."""
    rows: Rows
    """(n,)."""
    starts: NDArray[np.int64]
    """(clusters + 1,): where each one begins."""


class Question(NamedTuple):
    """What is looked for, as whole numbers."""

    numbers: NDArray[np.int16]
    """(dim,)."""
    scale: float
    """What they are times."""


def question_of(vector: Floats) -> Question:
    """A vector in whole numbers as large as sums over `dim` of them may be."""
    peak = float(np.abs(vector).max(initial=0.0))
    if not 0.0 < peak < np.inf:
        return Question(np.zeros(len(vector), np.int16), 0.0)
    most = min(WORD, (2**31 - 1) // (BYTE * len(vector)))
    numbers = np.rint(vector * np.float32(most / peak)).astype(np.int16)
    return Question(numbers, peak / most)


@kernel
def coded(vectors: Floats, order: NDArray[np.int64]) -> tuple[NDArray[np.int8], Floats]:
    """Vectors as whole numbers and their scales, in this order of theirs."""
    dim = vectors.shape[1]
    codes, scales = np.zeros((len(order), dim), np.int8), np.zeros(len(order), np.float32)
    for at in range(len(order)):
        vector, peak = vectors[order[at]], np.float32(0.0)
        for i in range(dim):
            peak = max(peak, abs(vector[i]))
        if peak > np.float32(0.0):
            scales[at] = peak / np.float32(BYTE)
            for i in range(dim):
                codes[at, i] = np.int8(np.rint(vector[i] * (np.float32(BYTE) / peak)))
    return codes, scales


@kernel
def product(codes: NDArray[np.int8], at: Any, numbers: NDArray[np.int16]) -> Any:
    """The dot product of one vector's whole numbers with a question's; exact."""
    total = np.int32(0)
    for i in range(len(numbers)):
        # numba widens sums to 64 bits, which keeps the compiler from ``vpmaddwd``
        total = np.int32(total + np.int32(np.int32(codes[at, i]) * np.int32(numbers[i])))
    return total


@kernel
def nearest(
    codes: NDArray[np.int8], scales: Floats, asked: Question, limit: int
) -> NDArray[np.int64]:
    """Places of the `limit` vectors with the largest dot products, best first."""
    numbers, scale = asked.numbers, np.float32(asked.scale)
    keys, kept, bar = np.empty(4 * limit, np.int64), 0, np.float32(-np.inf)
    for at in range(len(codes)):
        score = np.float32(product(codes, at, numbers)) * scales[at] * scale
        if score > bar:
            keys[kept] = key_of(score, at)
            kept += 1
            if kept == len(keys):
                kept, bar = limit, cut(keys, limit)
    return np.sort(keys[:kept])[:limit] & ROW


@kernel
def scan(
    held: Lists,
    order: NDArray[np.int64],
    asked: Question,
    allowed: Mask,
    enough: int,
    limit: int,
) -> tuple[NDArray[np.int64], int, int]:
    """Go through clusters in this order until `enough` vectors were compared.

    `allowed` tells the rows that count; empty, all of them. Returns the keys of the best, unsorted
    and a few too many, how many vectors were compared, and how many clusters were gone through.
    """
    codes, scales, rows = held.codes, held.scales, held.rows
    numbers, scale, narrow = asked.numbers, np.float32(asked.scale), len(allowed) > 0
    keys, kept, compared = np.empty(4 * limit, np.int64), 0, 0
    bar, gone = np.float32(-np.inf), 0
    for which in order:
        if compared >= enough:
            break
        gone += 1
        for at in range(held.starts[which], held.starts[which + 1]):
            if narrow and not (rows[at] < len(allowed) and allowed[rows[at]]):
                continue
            compared += 1
            score = np.float32(product(codes, at, numbers)) * scales[at] * scale
            if score > bar:
                keys[kept] = key_of(score, rows[at])
                kept += 1
                if kept == len(keys):
                    kept, bar = limit, cut(keys, limit)
    return keys[:kept].copy(), compared, gone


@kernel
def scan_some(
    held: Lists, places: NDArray[np.int32], rows: Rows, asked: Question, limit: int
) -> NDArray[np.int64]:
    """The keys of the best among these rows alone; `places` says where each row lies, or -1."""
    codes, scales = held.codes, held.scales
    numbers, scale = asked.numbers, np.float32(asked.scale)
    keys, kept, bar = np.empty(4 * limit, np.int64), 0, np.float32(-np.inf)
    for n in range(len(rows)):
        soon = rows[min(n + SOON, len(rows) - 1)]
        if soon < len(places) and places[soon] >= 0:
            ahead(codes, places[soon])
            ahead(scales, places[soon])
        at = places[rows[n]] if rows[n] < len(places) else np.int32(-1)
        if at < 0:
            continue
        score = np.float32(product(codes, at, numbers)) * scales[at] * scale
        if score > bar:
            keys[kept] = key_of(score, rows[n])
            kept += 1
            if kept == len(keys):
                kept, bar = limit, cut(keys, limit)
    return keys[:kept].copy()

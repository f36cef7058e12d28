"""Content vectors of a byte a number: of a unit vector only where it points is kept.

All that is ever asked of content is which way it points, so no scale is kept beside the bytes: a
vector is its whole numbers at unit length. Ten million items take .64 GB in place of 2.56, and one
line of the cache each.
"""

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Bytes, Floats, Rows
from palate.jit import ahead, kernel, swift

BYTE = np.float32(127)
SOON = 8
"""A row's bytes are asked for so many rows early: a large catalogue's lie in memory, not cache."""
BLOCK = 1 << 16
"""Vectors quantised at a time."""


def quantised(vectors: Floats) -> Bytes:
    """(n, dim) whole numbers that point where these vectors do; zero stays zero."""
    told = np.empty(vectors.shape, np.int8)
    for at in range(0, len(vectors), BLOCK):
        some = np.asarray(vectors[at : at + BLOCK], np.float32)
        peak = np.abs(some).max(axis=1, keepdims=True, initial=0.0)
        told[at : at + BLOCK] = np.rint(some * (BYTE / np.where(peak > 0, peak, np.float32(1))))
    return told


def read_only(held: Bytes) -> Bytes:
    """The same as all but its writer see it: one form, so that one kernel is compiled."""
    seen = held.view()
    seen.flags.writeable = False
    return seen


@kernel
def unit_vectors(held: Bytes, rows: Rows | NDArray[np.intp]) -> Floats:
    """(n, dim) vectors of unit length, zero where nothing is said.

    Rows beyond the last are read as the last.
    """
    found, last = np.empty((len(rows), held.shape[1]), np.float32), len(held) - 1
    for at in range(len(rows)):
        ahead(held, min(max(rows[min(at + SOON, len(rows) - 1)], 0), last))
        unit_vector(found[at], held[min(rows[at], last)])
    return found


@swift
def unit_vector(into: Floats, held: Bytes) -> bool:
    """Write where one item's numbers point; False where they say nothing."""
    square = np.float32(0)
    for d in range(len(into)):
        into[d] = np.float32(held[d])
        square += into[d] * into[d]
    scale = np.float32(1) / max(np.sqrt(square), np.float32(1))
    for d in range(len(into)):
        into[d] *= scale
    return bool(square > np.float32(0))


@swift
def dots(held: Bytes, rows: Rows, wanted: Floats) -> Floats:
    """(n,): dot products of some rows' unit vectors with one vector; nothing is copied."""
    out = np.empty(len(rows), np.float32)
    for at in range(len(rows)):
        ahead(held, rows[min(at + SOON, len(rows) - 1)])
        total, square = np.float32(0), np.float32(0)
        for d in range(len(wanted)):
            own = np.float32(held[rows[at], d])
            total += own * wanted[d]
            square += own * own
        out[at] = total / max(np.sqrt(square), np.float32(1))
    return out

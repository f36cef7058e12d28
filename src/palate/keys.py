"""Entries of a ranking as whole numbers that rise from the best to the worst, equals by row.

So one sort of plain integers orders scores and rows at once, without indirection.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from palate.jit import Single, bits_of, float_of, kernel

MAGNITUDE, ROW = np.int32(0x7FFFFFFF), np.int64(0xFFFFFFFF)


@kernel
def turned(bits: np.int32) -> np.int32:
    """Bits of a float32 <-> an integer of the same order; undoes itself."""
    return np.int32(bits ^ ((bits >> np.int32(31)) & MAGNITUDE))


@kernel
def key_of(score: Single, row: Any) -> Any:
    """The key (int64) of a float32 and a row or place below 2^31."""
    bits = bits_of(np.float32(score + np.float32(0.0)))  # -0 becomes 0
    return (np.int64(~turned(bits)) << 32) | np.int64(row)


@kernel
def score_of(key: Any) -> Single:
    """The score in a key; the row is ``key & ROW``."""
    return float_of(turned(np.int32(~(key >> 32))))


@kernel
def cut(keys: NDArray[np.int64], limit: int) -> Single:
    """Bring the `limit` smallest keys to the front (quickselect); the score of the last of them."""
    low, high = 0, len(keys) - 1
    while low < high:
        pivot, left, right = keys[(low + high) // 2], low, high
        while left <= right:
            while keys[left] < pivot:
                left += 1
            while keys[right] > pivot:
                right -= 1
            if left <= right:
                keys[left], keys[right] = keys[right], keys[left]
                left += 1
                right -= 1
        if limit - 1 <= right:
            high = right
        elif limit - 1 >= left:
            low = left
        else:
            break
    return score_of(keys[limit - 1])

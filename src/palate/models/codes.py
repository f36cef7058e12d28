"""What an item is about, in three small numbers: residual k-means of content vectors.

The first code names the nearest of up to 256 centres, the second the nearest centre of what is left
of the vector then, and so on (residual quantisation; Rajput et al. 2023, section 3.1). Items with
the same first code are of one topic, whatever their categories are called.
"""

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats
from palate.catalog.encoded import LEVELS

BLOCK = 65_536
"""Vectors compared at a time."""


def codes_of(vectors: Floats, books: Floats) -> NDArray[np.int16]:
    """(n, 3): the codes of vectors (n, dim) by centres (3, k, dim); -1 where a vector is zero."""
    codes = np.full((len(vectors), LEVELS), -1, np.int16)
    if books.shape[1]:
        for at in range(0, len(vectors), BLOCK):
            codes[at : at + BLOCK] = _block(vectors[at : at + BLOCK], books)
    return codes


def _block(vectors: Floats, books: Floats) -> NDArray[np.int16]:
    left, codes = vectors.astype(np.float32), np.full((len(vectors), LEVELS), -1, np.int16)
    for level, book in enumerate(books):
        nearest = np.argmax(left @ book.T - 0.5 * (book * book).sum(axis=1), axis=1)
        codes[:, level] = nearest
        left -= book[nearest]
    codes[~vectors.any(axis=1)] = -1
    return codes

"""Learns the centres of content codes; see `palate.models.codes`."""

from math import isqrt

import faiss
import numpy as np

from palate.arrays import Floats
from palate.catalog.encoded import LEVELS

MOST_CENTRES, MOST_ITEMS = 256, 65_536
ROUNDS = 15
FEWEST = 20
"""Items that say something; below this there are no codes."""


def fit_codebooks(vectors: Floats, seed: int) -> Floats:
    """(3, k, dim) centres; k is twice the root of how many items there are, at most 256."""
    told = np.ascontiguousarray(vectors[vectors.any(axis=1)], np.float32)
    if len(told) < FEWEST:
        return np.zeros((LEVELS, 0, vectors.shape[1]), np.float32)
    if len(told) > MOST_ITEMS:
        dice = np.random.Generator(np.random.PCG64(seed))
        told = told[np.sort(dice.permutation(len(told))[:MOST_ITEMS])]
    centres, books = min(MOST_CENTRES, 2 * isqrt(len(told))), []
    for level in range(LEVELS):
        means = faiss.Kmeans(
            told.shape[1], centres, niter=ROUNDS, seed=seed + level, min_points_per_centroid=1
        )
        means.train(told)
        books.append(np.array(means.centroids, np.float32))
        told = told - books[-1][means.index.search(told, 1)[1][:, 0]]
    return np.stack(books)

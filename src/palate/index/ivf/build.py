"""Which vectors lie together: k-means over a sample, then every vector to its nearest centre."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats
from palate.jit import kernel

ROUNDS = 8
SAMPLE = 32
"""Vectors a cluster that the centres are learnt from."""
CHUNK = 512
"""Vectors compared with all centres at a time: their products stay in the cache."""


def centres_of(vectors: Floats, clusters: int, seed: int, threads: int = 1) -> Floats:
    """(clusters, dim): means of the vectors nearest to each (Lloyd), from a sample.

    A centre that is left alone starts again at a vector by chance.
    """
    dice = np.random.Generator(np.random.PCG64(seed))
    if len(vectors) > SAMPLE * clusters:
        sample = vectors[np.sort(dice.choice(len(vectors), SAMPLE * clusters, replace=False))]
    else:
        sample = np.asarray(vectors)
    centres = sample[dice.choice(len(sample), clusters, replace=False)].copy()
    for _ in range(ROUNDS):
        sums, counts = _sums(sample, nearest_centres(sample, centres, threads), clusters)
        alone = counts == 0
        sums[alone] = sample[dice.integers(0, len(sample), int(alone.sum()))]
        centres = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
    return centres


def nearest_centres(vectors: Floats, centres: Floats, threads: int = 1) -> NDArray[np.int32]:
    """(n,): the centre at the least distance from each vector."""
    found = np.empty(len(vectors), np.int32)
    across = np.ascontiguousarray(centres.T)
    half = (0.5 * np.square(centres).sum(axis=1)).astype(np.float32)

    def some(part: slice) -> None:
        near = vectors[part] @ across
        near -= half
        found[part] = near.argmax(axis=1)

    _each(some, [slice(at, at + CHUNK) for at in range(0, len(vectors), CHUNK)], threads)
    return found


def _each(work: Callable[[slice], None], parts: list[slice], threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, parts))


@kernel
def _sums(
    vectors: Floats, centres: NDArray[np.int32], clusters: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sums (clusters, dim) and counts (clusters,) of the vectors of each centre."""
    sums = np.zeros((clusters, vectors.shape[1]))
    counts = np.zeros(clusters, np.int64)
    for at in range(len(vectors)):
        counts[centres[at]] += 1
        for i in range(vectors.shape[1]):
            sums[centres[at], i] += vectors[at, i]
    return sums, counts

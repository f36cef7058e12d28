"""Which vectors lie together: k-means over a sample, then every vector to its nearest centre."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats
from palate.jit import kernel

ROUNDS = 8
SAMPLE = 32
"""Vectors a cluster that the centres are learnt from."""
CHUNK = 512
"""Vectors compared with all centres at a time: their products stay in the cache."""
FEW = 2_048
"""So many centres are all compared; of more, those in the groups that are near to a vector."""
LOOKED_AT = 8
"""Groups in which a vector's centre is looked for."""
PART = 1 << 15
"""Vectors put into groups at a time."""


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
    """(n,): the centre at the least distance from each vector.

    Of many centres it is looked for in the nearest groups of them: one vector in a thousand gets
    another one.
    """
    found = np.empty(len(vectors), np.int32)
    if len(centres) <= FEW:
        work, size = partial(_of_all, vectors, centres, found), CHUNK
    else:
        means = centres_of(centres, int(np.sqrt(len(centres))), 0)
        groups = _Groups(means, nearest_centres(centres, means), centres)
        work, size = partial(_of_near, vectors, groups, found), PART
    _each(work, [slice(at, at + size) for at in range(0, len(vectors), size)], threads)
    return found


class _Groups(NamedTuple):
    """Centres that lie together."""

    means: Floats
    of: NDArray[np.int32]
    """(centres,): the group of each."""
    centres: Floats


def _of_all(vectors: Floats, centres: Floats, found: NDArray[np.int32], part: slice) -> None:
    near = vectors[part] @ centres.T
    near -= _half(centres)
    found[part] = near.argmax(axis=1)


def _of_near(vectors: Floats, groups: _Groups, found: NDArray[np.int32], part: slice) -> None:
    """Look at one group after the other, with all vectors that are near to it."""
    own, best = vectors[part], np.full(len(vectors[part]), -np.inf, np.float32)
    apart = _half(groups.means) - own @ groups.means.T
    near = np.argpartition(apart, LOOKED_AT, axis=1)[:, :LOOKED_AT].ravel()
    order = np.argsort(near, kind="stable")
    ends = np.searchsorted(near[order], np.arange(len(groups.means) + 1))
    for which in range(len(groups.means)):
        some = order[ends[which] : ends[which + 1]] // LOOKED_AT
        inside = np.flatnonzero(groups.of == which).astype(np.int32)
        if not len(some) or not len(inside):
            continue
        centres = groups.centres[inside]
        scores = own[some] @ centres.T
        scores -= _half(centres)
        first = scores.argmax(axis=1)
        score = scores[np.arange(len(some)), first]
        better = score > best[some]
        best[some[better]] = score[better]
        found[part.start + some[better]] = inside[first[better]]


def _half(centres: Floats) -> Floats:
    """Half of the squared lengths: by a dot product less this, the largest is the nearest."""
    return np.asarray(0.5 * np.square(centres).sum(axis=1), np.float32)


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

"""Which index a catalogue gets: exact while that is quick, clustered beyond."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Mask, Rows
from palate.index.exact import ExactIndex
from palate.index.faiss import FILE, FaissIndex
from palate.index.ivf.index import FACTS, IvfIndex
from palate.index.protocol import Index
from palate.index.recall import DEPTH, nearest, recall

EXACT_LIMIT = 20_000
"""Items up to which looking at every vector costs less than clustering them."""
Clustered: TypeAlias = FaissIndex | IvfIndex
CLUSTERED: dict[str, Callable[[Rows, Floats, int, int], Clustered]] = {
    "ivf": IvfIndex.build,
    "faiss": FaissIndex.build,
}
"""By the scheme of ``[stores] index``."""


class Building(NamedTuple):
    """How a large catalogue's index is built."""

    seed: int = 0
    kind: str = "ivf"
    """One of `CLUSTERED`."""
    threads: int = 1


def build_index(rows: Rows, vectors: Floats, how: Building | None = None) -> Index:
    """Build an index over `vectors` (n, dim), aligned with `rows` (n,)."""
    if len(rows) <= EXACT_LIMIT:
        return ExactIndex(rows, vectors)
    seed, kind, threads = how or Building()
    return CLUSTERED[kind](rows, vectors, seed, threads)


class Tuned(NamedTuple):
    """How well an index does on the questions it will be asked."""

    recall: float
    """Share of the true first `recall.DEPTH` that it finds."""
    probes: int
    """Clusters it looks at; 0 where it looks at everything."""


def tuned(index: Index, rows: Rows, vectors: Floats, asked: Floats, wanted: float) -> Tuned:
    """Widen the search until it finds a share `wanted` of the truth for `asked` (n, dim)."""
    if not isinstance(index, FaissIndex | IvfIndex):
        return Tuned(1.0, 0)
    truth = nearest(rows, vectors, asked, min(DEPTH, len(rows)))
    reached = recall(index, asked, truth)
    while reached < wanted and index.widen():
        reached = recall(index, asked, truth)
    return Tuned(reached, index.probes)


def open_index(folder: Path, known: Mask, table: Floats | NDArray[np.int8]) -> Index:
    """Open the index that was saved in `folder`, or an exact one where none had to be.

    `table` (items, dim) holds a vector for every row; those that are `known` (items,) are copied
    for the exact one alone. Raises OSError or ValueError.
    """
    if (folder / FACTS).exists():
        return IvfIndex.open(folder)
    if (folder / FILE).exists():
        return FaissIndex.open(folder)
    return ExactIndex(*held(known, np.asarray(table, np.float32)))


def held(known: Mask, table: Floats) -> tuple[Rows, Floats]:
    """The known rows and their vectors: the table itself where it knows them all."""
    if known.all():
        return np.arange(len(table), dtype=np.int32), table
    rows = np.flatnonzero(known).astype(np.int32)
    return rows, table[rows]

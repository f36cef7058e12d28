"""Which index a catalogue gets: exact while that is quick, clustered beyond."""

from pathlib import Path
from typing import NamedTuple

from palate.arrays import Floats, Rows
from palate.index.exact import ExactIndex
from palate.index.faiss import FILE, FaissIndex
from palate.index.protocol import Index
from palate.index.recall import DEPTH, nearest, recall

EXACT_LIMIT = 20_000
"""Items up to which looking at every vector costs less than clustering them."""


def build_index(rows: Rows, vectors: Floats, seed: int = 0) -> Index:
    """Build an index over `vectors` (n, dim), aligned with `rows` (n,)."""
    if len(rows) <= EXACT_LIMIT:
        return ExactIndex(rows, vectors)
    return FaissIndex.build(rows, vectors, seed)


class Tuned(NamedTuple):
    """How well an index does on the questions it will be asked."""

    recall: float
    """Share of the true first `recall.DEPTH` that it finds."""
    probes: int
    """Clusters it looks at; 0 where it looks at everything."""


def tuned(index: Index, rows: Rows, vectors: Floats, asked: Floats, wanted: float) -> Tuned:
    """Widen the search until it finds a share `wanted` of the truth for `asked` (n, dim)."""
    if not isinstance(index, FaissIndex):
        return Tuned(1.0, 0)
    truth = nearest(rows, vectors, asked, min(DEPTH, len(rows)))
    reached = recall(index, asked, truth)
    while reached < wanted and index.widen():
        reached = recall(index, asked, truth)
    return Tuned(reached, index.probes)


def open_index(folder: Path, rows: Rows, table: Floats) -> Index:
    """Open the index that was saved in `folder`, or an exact one where none had to be.

    `table` (items, dim) holds a vector for every row; those of `rows` are copied for the exact one
    alone.
    """
    if (folder / FILE).exists():
        return FaissIndex.open(folder)
    return ExactIndex(rows, table[rows])

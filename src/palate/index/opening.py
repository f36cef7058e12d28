"""Which index a catalogue gets: exact while that is quick, clustered beyond."""

from pathlib import Path

from palate.arrays import Floats, Rows
from palate.index.exact import ExactIndex
from palate.index.faiss import FILE, FaissIndex
from palate.index.protocol import Index

EXACT_LIMIT = 20_000
"""Items up to which looking at every vector costs less than clustering them."""


def build_index(rows: Rows, vectors: Floats, seed: int = 0) -> Index:
    """Build an index over `vectors` (n, dim), aligned with `rows` (n,)."""
    if len(rows) <= EXACT_LIMIT:
        return ExactIndex(rows, vectors)
    return FaissIndex.build(rows, vectors, seed)


def open_index(folder: Path, rows: Rows, vectors: Floats) -> Index:
    """Open the index that was saved in `folder`, or an exact one where none had to be."""
    return FaissIndex.open(folder) if (folder / FILE).exists() else ExactIndex(rows, vectors)

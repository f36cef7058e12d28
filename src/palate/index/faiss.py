"""Looks at the nearest clusters only: for catalogues of more than some ten thousand items.

IVF with an int8 scalar quantiser: at k = 500 it beats graphs and product quantisers, and it
builds in seconds. One thread: many requests share the cores better than one request could.
"""

from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np

from palate.arrays import Floats, Rows
from palate.index.exact import best
from palate.index.protocol import Allowed

FILE = "index.faiss"
PROBES = 32
"""Clusters looked at to begin with; `opening.tuned` goes on from there."""
ROUNDS = 10
"""Of k-means: more change the recall in the third place, and take as long again."""
SAMPLE = 200_000
"""Vectors that the clusters are learnt from."""


class FaissIndex:
    """FAISS ``IVF{clusters},SQ8`` on dot products, with item rows as labels."""

    def __init__(self, index: Any) -> None:
        faiss.omp_set_num_threads(1)
        self._index = index

    @classmethod
    def build(cls, rows: Rows, vectors: Floats, seed: int = 0, threads: int = 1) -> Self:
        """Cluster and fill. `rows` (n,) distinct, `vectors` (n, dim)."""
        clusters = max(1, min(int(4 * np.sqrt(len(rows))), len(rows) // 40))
        index: Any = faiss.index_factory(
            vectors.shape[1], f"IVF{clusters},SQ8", faiss.METRIC_INNER_PRODUCT
        )
        index.cp.seed = seed + 1
        index.cp.niter = ROUNDS
        faiss.omp_set_num_threads(threads)
        index.train(np.ascontiguousarray(vectors[:: max(1, len(rows) // SAMPLE)]))
        index.add_with_ids(np.ascontiguousarray(vectors), rows.astype(np.int64))
        index.nprobe = min(PROBES, clusters)
        return cls(index)

    @property
    def probes(self) -> int:
        """Clusters that a search looks at."""
        return int(self._index.nprobe)

    def widen(self) -> bool:
        """Look at half as many more from now on; False where all are looked at already."""
        if self._index.nprobe >= self._index.nlist:
            return False
        self._index.nprobe = min(self.probes + -(-self.probes // 2), self._index.nlist)
        return True

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Map what `save` wrote: all workers share the pages, and the clusters stay arrays.

        Not ``IO_FLAG_MMAP``: its lists prefetch in threads, and cannot be written again.
        """
        return cls(faiss.read_index(str(folder / FILE), faiss.IO_FLAG_MMAP_IFC))

    def save(self, folder: Path) -> None:
        faiss.write_index(self._index, str(folder / FILE))

    def search(
        self, vector: Floats, limit: int, allowed: Allowed | None = None
    ) -> tuple[Rows, Floats]:
        rows, scores = self._search(vector, limit, allowed, self.probes)
        if allowed is not None and len(rows) < limit:  # what passes lies farther off than it seemed
            rows, scores = self._search(vector, limit, allowed, int(self._index.nlist))
        return best(rows, scores, limit)

    def _search(
        self, vector: Floats, limit: int, allowed: Allowed | None, probes: int
    ) -> tuple[Rows, Floats]:
        wanted = max(1, min(limit, len(self)))
        asked = np.ascontiguousarray(vector[None], np.float32)
        params = None if allowed is None else self._only(allowed, probes)
        scores, rows = self._index.search(asked, wanted, params=params)
        found = rows[0] >= 0
        return rows[0][found].astype(np.int32), scores[0][found]

    def _only(self, allowed: Allowed, probes: int) -> Any:
        """Skip the rest inside the scan; the fewer are allowed, the more clusters are looked at."""
        bits = np.packbits(allowed.mask, bitorder="little")
        few = allowed.rows
        passing = len(few) if few is not None else np.count_nonzero(allowed.mask)
        share = passing / max(len(allowed.mask), 1)
        library: Any = faiss  # its own types do not know what its Python layer takes
        chosen, most = library.IDSelectorBitmap(bits), self._index.nlist
        return library.SearchParametersIVF(
            sel=chosen, nprobe=min(int(probes / max(share, 1e-6)), most)
        )

    def __len__(self) -> int:
        return int(self._index.ntotal)

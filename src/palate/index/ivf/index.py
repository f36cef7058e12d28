"""Looks at the nearest clusters only, a byte a number, in files that all workers map.

IVF with an int8 scalar quantiser. Beside FAISS's it needs no library to open, has nothing of its
own in a worker's memory, and asks a filter inside the scan: a narrow one has it look further until
as many vectors were compared as without, or at the few that pass and at nothing else.
"""

import json
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Mask, Rows
from palate.index.exact import best_keys
from palate.index.ivf.build import centres_of, nearest_centres
from palate.index.ivf.scan import (
    Lists,
    Question,
    coded,
    nearest,
    question_of,
    scan,
    scan_some,
)
from palate.index.protocol import Allowed
from palate.tables import read_table, write_table

FACTS = "ivf.json"
PROBES = 16
"""Clusters' worth of vectors compared to begin with; `opening.tuned` goes on from there."""
CLUSTERS, WIDEST = 4, 1 << 20
"""So many clusters per root of the vectors, and at most so many numbers in all centres: beyond,
what a question gains is less than what building costs."""
SPARE = 2
"""So many times as many clusters are put in order at once as will be looked at."""
FAR = 5
"""What a vector that lies anywhere costs, in those that lie in a row; so much as one of these does
a look at the filter cost, which lies anywhere too (ten million items)."""
EVERYTHING: Mask = np.empty(0, np.bool_)


class IvfTable(NamedTuple):
    """What is held, as arrays."""

    codes: NDArray[np.int8]
    """(n, dim), cluster by cluster."""
    scales: Floats
    rows: Rows
    starts: NDArray[np.int64]
    places: NDArray[np.int32]
    """(last row + 1,): where each row lies in `codes`; -1 for nowhere."""
    centres: NDArray[np.int8]
    """(clusters, dim)."""
    centre_scales: Floats


class IvfIndex:
    """Clusters of int8 vectors, with item rows as labels."""

    def __init__(self, table: IvfTable, probes: int) -> None:
        for array in table:
            array.flags.writeable = False
        self._table, self._probes = table, probes
        self._lists = Lists(table.codes, table.scales, table.rows, table.starts)

    @classmethod
    def build(cls, rows: Rows, vectors: Floats, seed: int = 0, threads: int = 1) -> Self:
        """Cluster and fill. `rows` (n,) distinct, `vectors` (n, dim)."""
        most = WIDEST // max(vectors.shape[1], 1)
        clusters = max(1, min(int(CLUSTERS * np.sqrt(len(rows))), len(rows) // 40, most))
        centres = centres_of(vectors, clusters, seed, threads)
        near = nearest_centres(vectors, centres, threads)
        order = np.lexsort((rows, near))
        starts = np.searchsorted(near[order], np.arange(clusters + 1))
        held = rows[order].astype(np.int32)
        places = np.full(int(rows.max(initial=-1)) + 1, -1, np.int32)
        places[held] = np.arange(len(held), dtype=np.int32)
        table = IvfTable(
            *coded(vectors, order), held, starts, places, *coded(centres, np.arange(clusters))
        )
        return cls(table, min(PROBES, clusters))

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Map what `save` wrote. Raises OSError or ValueError."""
        probes = int(json.loads((folder / FACTS).read_bytes())["probes"])
        return cls(read_table(folder / "ivf", IvfTable), probes)

    def save(self, folder: Path) -> None:
        (folder / "ivf").mkdir(exist_ok=True)
        write_table(folder / "ivf", self._table)
        (folder / FACTS).write_text(json.dumps({"probes": self._probes}), "ascii")

    @property
    def table(self) -> IvfTable:
        """What is held."""
        return self._table

    @property
    def clusters(self) -> int:
        """How many there are."""
        return len(self._table.centres)

    @property
    def probes(self) -> int:
        """How many clusters' worth of vectors a search compares."""
        return self._probes

    def widen(self) -> bool:
        """Compare half as many more from now on; False where all are compared already."""
        if self._probes >= self.clusters:
            return False
        self._probes = min(self._probes + -(-self._probes // 2), self.clusters)
        return True

    def search(
        self, vector: Floats, limit: int, allowed: Allowed | None = None
    ) -> tuple[Rows, Floats]:
        asked, wanted = question_of(vector), max(1, min(limit, len(self)))
        if allowed is not None and allowed.rows is not None and self._few(len(allowed.rows)):
            keys = scan_some(self._lists, self._table.places, allowed.rows, asked, wanted)
        else:
            keys = self._near(asked, wanted, EVERYTHING if allowed is None else allowed.mask)
        return best_keys(keys, limit)

    def __len__(self) -> int:
        return len(self._table.rows)

    @property
    def _enough(self) -> int:
        """Vectors that a search compares."""
        return -(-self._probes * len(self) // max(self.clusters, 1))

    def _few(self, passing: int) -> bool:
        """Whether to compare all that pass costs less than to look for the near ones among all."""
        looked = self._enough * min(len(self) / max(passing, 1), self.clusters / self._probes)
        return FAR * passing <= self._enough + looked

    def _near(self, asked: Question, limit: int, mask: Mask) -> NDArray[np.int64]:
        """Keys of the best among the nearest clusters: more of them, until enough passed."""
        table, enough = self._table, max(self._enough, limit)
        first = self.clusters if len(mask) else min(SPARE * self._probes, self.clusters)
        order = nearest(table.centres, table.centre_scales, asked, first)
        keys, compared, _ = scan(self._lists, order, asked, mask, enough, limit)
        if compared < enough and first < self.clusters:
            order = nearest(table.centres, table.centre_scales, asked, self.clusters)
            keys, _, _ = scan(self._lists, order, asked, mask, enough, limit)
        return keys

"""A tower's files for more items than there is time to place: all are found, anywhere."""

from pathlib import Path

import msgspec
import numpy as np

from palate.index.ivf.index import CLUSTERS, PROBES, WIDEST, IvfIndex, IvfTable
from palate.models.two_tower import ItemTable, TowerFacts
from palate.tables import write_table


def save_hollow(
    folder: Path, facts: TowerFacts, table: ItemTable, items: int, dice: np.random.Generator
) -> None:
    """Write `table` for `items` rows, and an index over all of them, by chance.

    The index brings the vectors, and has the clusters, the bytes and the order of a real one: a
    question costs what it does, and means nothing.
    """
    (folder / "tower.json").write_bytes(msgspec.json.encode(facts))
    nothing = np.empty((0, facts.dim), np.int8)
    write_table(folder, table._replace(known=np.ones(items, np.bool_), vectors=nothing))
    IvfIndex(_table(items, facts.dim, dice), PROBES).save(folder)


def _table(items: int, dim: int, dice: np.random.Generator) -> IvfTable:
    clusters = min(int(CLUSTERS * np.sqrt(items)), WIDEST // dim)
    starts = np.linspace(0, items, clusters + 1).astype(np.int64)
    rows, places = dice.permutation(items).astype(np.int32), np.empty(items, np.int32)
    places[rows] = np.arange(items, dtype=np.int32)
    return IvfTable(
        codes=dice.integers(-127, 128, (items, dim), np.int8),
        scales=np.full(items, 0.01, np.float32),
        rows=rows,
        starts=starts,
        places=places,
        centres=dice.integers(-127, 128, (clusters, dim), np.int8),
        centre_scales=np.full(clusters, 0.01, np.float32),
    )

"""What came after the release is found beside the rest, and what went is gone at once."""

import numpy as np

from palate.arrays import Floats, Mask, Rows
from palate.catalog.columns import ItemColumns
from palate.index.growing import GrowingIndex
from palate.index.ivf.index import IvfIndex
from palate.testing.index import vectors_of

COUNT, LATER = 4_000, 50
VECTORS = vectors_of(COUNT + LATER)
NOTHING = np.empty(0, np.int32)


def placed(rows: Rows, _: ItemColumns) -> tuple[Floats, Mask]:
    return VECTORS[rows], np.ones(len(rows), np.bool_)


def made(unknown: Rows) -> tuple[GrowingIndex, ItemColumns]:
    columns = ItemColumns.in_memory(COUNT + LATER + 1)
    columns.reserve(COUNT)
    columns.servable[:COUNT] = 1
    known = np.ones(COUNT, np.bool_)
    known[unknown] = False
    rows = np.flatnonzero(known).astype(np.int32)
    index = IvfIndex.build(rows, VECTORS[rows])
    while index.widen():
        pass
    return GrowingIndex(index, known, placed), columns


def truth(question: Floats, columns: ItemColumns, limit: int) -> set[int]:
    scores = np.where(columns.servable[: len(VECTORS)] != 0, VECTORS @ question, -np.inf)
    return set(np.argsort(-scores)[:limit].tolist())


def test_however_many_are_removed_the_rest_fills_the_list_at_once() -> None:
    index, columns = made(NOTHING)
    question = VECTORS[11]
    gone = np.argsort(-(VECTORS[:COUNT] @ question))[:900]
    columns.servable[gone] = 0
    rows, _ = index.nearest(question, columns, NOTHING, 200)
    assert len(rows) == 200
    assert not np.isin(rows, gone).any()
    assert len(truth(question, columns, 200) & set(rows.tolist())) >= 185


def test_what_is_excluded_costs_no_place() -> None:
    index, columns = made(NOTHING)
    question = VECTORS[11]
    seen = np.sort(np.argsort(-(VECTORS[:COUNT] @ question))[:300]).astype(np.int32)
    rows, _ = index.nearest(question, columns, seen, 200)
    assert len(rows) == 200
    assert not np.isin(rows, seen).any()


def test_newcomers_and_what_was_unknown_are_found_beside_the_rest() -> None:
    unknown = np.array([5, 77], np.int32)
    index, columns = made(unknown)
    assert index.newcomers(columns).rows.tolist() == [5, 77]
    columns.reserve(COUNT + LATER)
    columns.servable[COUNT : COUNT + LATER] = 1
    for row in (77, COUNT + 3):
        rows, _ = index.nearest(VECTORS[row] * 3, columns, NOTHING, 100)
        assert row in rows
    columns.servable[77] = 0
    assert 77 not in index.nearest(VECTORS[77] * 3, columns, NOTHING, 100)[0]

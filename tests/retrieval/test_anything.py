"""A few by lot, of whatever may be shown, however much that is."""

import numpy as np

from palate.catalog.columns import ItemColumns
from palate.features.record import UserState
from palate.funnel.types import HOUR, Query
from palate.index.matching import Matching
from palate.retrieval.anything import Anything
from palate.testing.generators import proposed

SIZE = 9_000


def columns() -> ItemColumns:
    held = ItemColumns.in_memory(SIZE + 1)
    held.reserve(SIZE)
    held.servable[:SIZE] = 1
    return held


def drawn(passing: int, limit: int, hour: int) -> list[int]:
    held = columns()
    mask = np.zeros(held.capacity, np.bool_)
    mask[:passing] = True
    query = Query("home", UserState.nobody(), 20, HOUR * hour, matching=Matching.of(mask))
    return proposed(Anything(held), query, limit).rows.tolist()


def test_a_filter_that_lets_much_through_fills_the_list_with_a_few_of_it_by_lot() -> None:
    found = [drawn(8_000, 100, hour) for hour in range(30)]
    assert all(len(set(each)) == 100 and max(each) < 8_000 for each in found)
    everyone = np.concatenate(found)
    assert len(set(everyone.tolist())) > 2_500
    assert abs(everyone.mean() - 4_000) < 300


def test_all_that_a_narrow_filter_lets_through_is_there() -> None:
    assert sorted(drawn(60, 100, 3)) == list(range(60))

"""Pages are spread over what is unlike as far as hits allow."""

import numpy as np
import pytest
from tests.training.ranking.test_network import history

from palate.arrays import Floats
from palate.catalog.columns import ItemColumns
from palate.catalog.item import Item
from palate.catalog.protocol import ItemChange
from palate.training.ranking.judging.spread import spread
from palate.training.ranking.lists import RankedList, ndcg

KINDS = 4


def catalogue(size: int) -> ItemColumns:
    """A run of items of one category, then a run of the next."""
    columns, run = ItemColumns.in_memory(), size // KINDS
    items = [
        Item(item_id=f"i{n}", title=f"t{n // run}", categories=(f"c{n // run}",))
        for n in range(size)
    ]
    columns.write([ItemChange(n + 1, n, item.item_id, item) for n, item in enumerate(items)])
    return columns


def asked(wanted: int) -> tuple[list[RankedList], Floats]:
    """Lists whose best are the lowest rows, a little better each than the next."""
    judge = history()
    for each in judge:
        each.labels[:] = 0.0
        each.labels[wanted, 0] = 1.0
    served = [np.linspace(1.0, 0.5, len(each.rows), dtype=np.float32) for each in judge]
    return judge, np.concatenate(served)


def test_in_full_where_it_costs_nothing() -> None:
    judge, served = asked(0)
    found = spread(judge, served, catalogue(len(judge[0].rows)), 0.01)
    assert (found.share, found.reached) == (1.0, found.plain)


def test_no_further_than_hits_allow() -> None:
    judge, served = asked(9)
    columns = catalogue(len(judge[0].rows))
    plain = float(ndcg(judge, served).mean())
    free = spread(judge, served, columns, 1.0)
    assert free.share == 1.0
    assert free.reached < 0.99 * plain
    held = spread(judge, served, columns, 0.01)
    assert held.share < 1.0
    assert held.reached >= 0.99 * plain
    assert held.plain == pytest.approx(plain)
    assert "NDCG@10" in str(held)


@pytest.mark.parametrize("wanted", [0, 9])
def test_pages_stay_in_the_rankers_order_where_nothing_may_be_given_up(wanted: int) -> None:
    judge, served = asked(wanted)
    found = spread(judge, served, catalogue(len(judge[0].rows)), 0.0)
    assert (found.share, found.reached) == (0.0, found.plain)

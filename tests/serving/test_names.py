"""Names at hand: those that boards show first, never more than the bound, each right."""

import asyncio
from pathlib import Path

import numpy as np

from palate.catalog.item import Item
from palate.catalog.sqlite import SqliteItems
from palate.serving.names import Names


def test_what_boards_show_is_at_hand_first_and_the_bound_holds(tmp_path: Path) -> None:
    items = SqliteItems(tmp_path / "catalog.db")
    items.put([Item(item_id=f"i{n}", title=f"Number {n}") for n in range(300)])
    names = Names(items, 1, 50)
    asyncio.run(names.warm(np.array([299, 250, 7], np.int32), 300))
    assert names.asked() == (0, 50)
    assert asyncio.run(names.of([299, 250, 7, 0, 46]))[250].title == "Number 250"
    assert names.asked() == (5, 0)
    found = asyncio.run(names.of(range(100, 200)))
    assert [each.item_id for each in found.values()] == [f"i{n}" for n in range(100, 200)]
    assert len(names._named) == 50

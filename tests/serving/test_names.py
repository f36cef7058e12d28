"""Names at hand: those that boards show first, never more than the bound, each right."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from time import perf_counter
from typing import cast

import numpy as np
import pytest

from palate.arrays import Rows
from palate.catalog.item import Item
from palate.catalog.protocol import ItemCatalog
from palate.catalog.sqlite import SqliteItems
from palate.errors import CorruptStore
from palate.serving import names as module
from palate.serving.names import UNDER_WAY, UNREAD, Names


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


class Slow:
    """A catalogue on a disk that stands still until it is let go, or that cannot be read at all."""

    def __init__(self, items: SqliteItems) -> None:
        self._items, self.go, self.broken = items, Event(), False

    def _wait(self) -> None:
        assert self.go.wait(20.0)
        if self.broken:
            raise CorruptStore("the catalogue cannot be read")

    def ids(self, rows: Rows) -> list[str]:
        self._wait()
        return self._items.ids(rows)

    def find(self, ids: Sequence[str]) -> list[Item | None]:
        return self._items.find(ids)

    def rows(self, ids: Sequence[str], *, create: bool) -> Rows:
        self._wait()
        return self._items.rows(ids, create=create)


@pytest.fixture
def slow(tmp_path: Path) -> Slow:
    items = SqliteItems(tmp_path / "catalog.db")
    items.put([Item(item_id=f"i{n}", title=f"Number {n}") for n in range(300)])
    return Slow(items)


def test_a_name_that_does_not_come_in_time_is_left_out_and_there_for_the_next(slow: Slow) -> None:
    names = Names(cast("ItemCatalog", slow), 1, 50)

    async def scene() -> None:
        assert await names.of([3], 0.001) == {}
        assert await names.rows_within(["i4"], 0.001) == [UNREAD]
        slow.go.set()
        assert await names.rows_within(["i4", "nobody"], 5.0) == [4, -1]
        assert (await names.of([3], 5.0))[3].title == "Number 3"

    asyncio.run(scene())


def test_reads_that_nobody_waits_for_do_not_pile_up(slow: Slow) -> None:
    names = Names(cast("ItemCatalog", slow), 1, 50)

    async def scene() -> None:
        given_up = await asyncio.gather(*(names.of([n], 0.001) for n in range(200)))
        assert given_up == [{}] * 200
        assert names._under_way <= UNDER_WAY
        slow.go.set()
        assert (await names.of([250]))[250].title == "Number 250"

    asyncio.run(scene())


def test_what_was_warmed_is_known_by_id_where_the_catalogue_cannot_be_read(slow: Slow) -> None:
    names = Names(cast("ItemCatalog", slow), 1, 50)
    slow.go.set()
    asyncio.run(names.warm(np.array([299, 250], np.int32), 300))
    slow.broken = True
    assert asyncio.run(names.rows_within(["i299", "i120"], 5.0)) == [299, UNREAD]
    with pytest.raises(CorruptStore):
        asyncio.run(names.rows(["i120"]))


def test_who_needs_a_name_does_not_wait_behind_what_others_ask_meanwhile(
    slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 20.0)  # however busy the machine is
    slow.go.set()
    names, others = Names(cast("ItemCatalog", slow), 1, 50), list[int]()

    async def scene() -> None:
        for n in range(10):
            asyncio.get_running_loop().call_soon(others.append, n)
        assert (await names.of([3], 20.0))[3].title == "Number 3"
        assert await names.rows_within(["i4"], 20.0) == [4]
        assert others == []

    asyncio.run(scene())


def test_the_loop_stands_still_for_one_slow_read_and_not_for_those_behind_it(
    slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 0.5)
    monkeypatch.setattr(module, "APART", 20.0)
    names = Names(cast("ItemCatalog", slow), 1, 50)

    async def scene() -> float:
        started = perf_counter()
        assert await asyncio.gather(*(names.of([n], 0.001) for n in range(10))) == [{}] * 10
        taken = perf_counter() - started
        slow.go.set()
        while names._under_way:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert (await names.of([50], 20.0))[50].title == "Number 50"
        return taken

    assert 0.5 <= asyncio.run(scene()) < 1.0


def test_a_read_that_fails_when_nobody_waits_any_more_is_told(
    slow: Slow, caplog: pytest.LogCaptureFixture
) -> None:
    names = Names(cast("ItemCatalog", slow), 1, 50)
    slow.broken = True

    async def scene() -> None:
        assert await names.of([3], 0.001) == {}
        slow.go.set()
        while names._under_way:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    asyncio.run(scene())
    assert "cannot be read" in caplog.text

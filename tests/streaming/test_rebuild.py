from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tests.streaming.sites import fill, settings_at, some_events, worker_at

from palate.features.online.protocol import StateChange
from palate.stores import Stores
from palate.streaming.rebuild import Comparison, compare, restore


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    settings = settings_at(tmp_path, batch=7)
    fill(settings, some_events(150))
    worker, stores = worker_at(settings)
    worker.drain()
    return stores


def compared(stores: Stores) -> Comparison:
    rows_of = partial(stores.items.rows, create=True)
    return compare(stores.settings, stores.log, stores.online, rows_of)


def test_what_was_folded_live_equals_what_the_log_leads_to(stores: Stores) -> None:
    found = compared(stores)
    assert found.equal
    assert found.tables["users"].records == len(dict(stores.online.scan("users")))
    assert all(table.records for table in found.tables.values())


@pytest.mark.parametrize("table", ["users", "items", "covisit"])
def test_each_kind_of_difference_is_counted(stores: Stores, table: str) -> None:
    first, second, *_ = sorted(key for key, _ in stores.online.scan(table))
    changed = {first: None, second: b"other", 2**31 - 1: b"extra"}
    stores.online.commit(replace(StateChange(stores.online.position()), **{table: changed}))
    found = compared(stores)
    told = found.tables[table]
    assert (told.missing, told.different, told.extra) == (1, 1, 1)
    assert not found.equal


def test_restoring_makes_it_equal_again_up_to_the_end_of_the_log(stores: Stores) -> None:
    before = dict(stores.online.scan("users"))
    stores.online.clear()
    found = compared(stores)
    position = restore(stores.log, stores.online, found, partial(stores.items.rows, create=True))
    assert position == stores.online.position() == stores.log.end()
    assert dict(stores.online.scan("users")) == before
    assert compared(stores).equal


def test_a_state_of_a_longer_log_is_not_equal(stores: Stores) -> None:
    stores.online.commit(StateChange(stores.log.end() + 5))
    assert not compared(stores).equal

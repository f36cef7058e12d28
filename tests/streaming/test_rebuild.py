import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.streaming.sites import NOW, fill, settings_at, some_events, worker_at

from palate.events.kinds import Event, Kind
from palate.events.protocol import Logged, Traces
from palate.features.online.protocol import StateChange
from palate.models.covisit import Covisit
from palate.stores import Stores, distrust, open_stores
from palate.streaming.rebuild import TABLES, Comparison, compare, comparing, recount
from palate.streaming.worker import StreamWorker


def filled(home: Path) -> tuple[StreamWorker, Stores]:
    settings = settings_at(home, batch=7)
    fill(settings, some_events(150))
    worker, stores = worker_at(settings)
    worker.drain()
    return worker, stores


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return filled(tmp_path)[1]


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


def test_a_swap_makes_it_equal_again_and_the_worker_goes_on_from_there(tmp_path: Path) -> None:
    worker, stores = filled(tmp_path)
    before = {table: dict(stores.online.scan(table)) for table in TABLES}
    key = next(iter(before["users"]))
    change = StateChange(stores.online.position(), items={0: None}, covisit={1: None})
    stores.online.commit(replace(change, users={key: b"altered"}))
    rows_of = partial(stores.items.rows, create=True)
    with comparing(stores.settings, stores.log, stores.online, rows_of) as found:
        assert not found.equal
        assert distrust(stores.settings)
        stores.online.replace(found.whole)
    stores.states.counts[:] = stores.covisit.table.weights[:] = 7
    assert {table: dict(stores.online.scan(table)) for table in TABLES} == before
    stores.log.append(some_events(40, start=150), NOW)
    assert worker.drain() == 40
    assert compared(stores).equal
    assert stores.online.position() == worker.position == 190
    held = dict(stores.online.scan("items"))
    assert {row: stores.states.pack(row) for row in held} == held


def test_a_worker_rests_while_a_comparison_is_held(tmp_path: Path) -> None:
    worker, stores = filled(tmp_path)
    stores.log.append(some_events(40, start=150), NOW)
    working = threading.Thread(target=worker.drain)
    rows_of = partial(stores.items.rows, create=True)
    with comparing(stores.settings, stores.log, stores.online, rows_of) as found:
        working.start()
        working.join(0.3)
        assert working.is_alive()
        assert stores.online.position() == found.position == 150
    working.join(30)
    assert stores.online.position() == 190


def test_readers_keep_the_columns_they_see_until_the_new_ones_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, stores = filled(tmp_path)
    reader = open_stores(stores.settings)
    every, load = np.arange(reader.states.capacity), Covisit.load
    seen = reader.states.records(every)

    def looking(table: Covisit, row: int, raw: bytes) -> None:
        reader.states.refresh()
        assert np.array_equal(reader.states.records(every), seen)
        load(table, row, raw)

    monkeypatch.setattr(Covisit, "load", looking)
    assert distrust(stores.settings)
    worker.step()
    assert reader.states.refresh()
    assert np.array_equal(reader.states.records(every), seen)
    assert not reader.states.dirty


def test_somebody_deleted_while_the_log_is_read_makes_it_begin_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, stores = filled(tmp_path)
    told: list[int] = []

    stores.log.announce("u1", forgets)
    worker.drain()

    def telling(position: int, _: int) -> None:
        told.append(position)
        if len(told) == 3:
            stores.log.pseudonymise("u1", "nobody", stores.log.end())

    monkeypatch.setattr("palate.events.protocol.PART", 30)
    rows_of = partial(stores.items.rows, create=True)
    found = compare(stores.settings, stores.log, stores.online, rows_of, telling)
    assert found.equal
    assert told.count(30) == 2


def test_somebody_renamed_while_all_is_counted_again_makes_it_begin_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, stores = filled(tmp_path)
    stores.log.announce("u1", forgets)
    worker.drain()
    read, told = stores.log.read, []

    def reading(after: int, limit: int) -> list[Logged]:
        told.append(after)
        if len(told) == 3:
            stores.log.pseudonymise("u1", "nobody", stores.log.end())
        return read(after, limit)

    monkeypatch.setattr("palate.events.protocol.PART", 30)
    monkeypatch.setattr(stores.log, "read", reading)
    rows_of = partial(stores.items.rows, create=True)
    recount(stores.settings, stores.log, stores.online, rows_of)
    assert told.count(0) == 2
    assert compare(stores.settings, stores.log, stores.online, rows_of).equal


def forgets(found: Traces) -> list[Event]:
    """What is logged of u1's deletion."""
    return [
        Event(event_id=f"f{n}", kind=Kind.FORGET, time=NOW, user_id="u1", session_id=session)
        for n, session in enumerate(("", *found.sessions))
    ]


def test_a_state_of_a_longer_log_is_not_equal(stores: Stores) -> None:
    stores.online.commit(StateChange(stores.log.end() + 5))
    assert not compared(stores).equal

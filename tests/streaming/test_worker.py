import math
import os
import shutil
import sqlite3
import threading
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.streaming.sites import ITEMS, NOW, fill, settings_at, some_events, worker_at

from palate.catalog.columns import ItemColumns
from palate.catalog.item import Item
from palate.catalog.user import session_key, user_key
from palate.errors import CorruptStore, Problem, Unavailable
from palate.events.kinds import Event, Kind
from palate.events.protocol import Logged
from palate.events.sqlite import SqliteLog
from palate.features.online.claimed import state_of
from palate.features.online.protocol import StateChange
from palate.features.record import UserState, owner_of
from palate.settings import CovisitSettings
from palate.stores import close, open_stores, refresh, stream_worker
from palate.streaming import aside as aside_module
from palate.streaming import worker as worker_module
from palate.streaming.aside import FILE, Aside, count
from palate.streaming.rebuild import TABLES, compare
from palate.streaming.replay import Replay
from palate.streaming.state import Refused
from palate.streaming.worker import StreamWorker


def test_events_reach_users_counters_boards_and_covisit_of_a_reader(tmp_path: Path) -> None:
    settings = settings_at(tmp_path, boards_seconds=0)
    reader = open_stores(settings)
    likes = [
        Event(event_id=f"{user}{item}", kind=Kind.LIKE, time=NOW, user_id=user, item_id=item)
        for user in ("u1", "u2")
        for item in ("i3", "i4")
    ]
    fill(settings, likes)
    worker, _ = worker_at(settings)
    assert worker.drain() == len(likes)
    for shared in (reader.columns, reader.states, reader.boards, reader.covisit):
        shared.refresh()
    raw = reader.online.user(user_key("u1"))
    assert raw is not None
    assert UserState.unpack(user_key("u1"), raw).engaged(9).tolist() == [4, 3]
    assert reader.states.decayed("positive_total", NOW, np.array([3]))[0] == 2.0
    assert reader.boards.top("popular", 9)[0].tolist() == [3, 4]
    assert reader.covisit.neighbours(3, 9)[0].tolist() == [4]
    assert reader.columns.size == ITEMS
    assert reader.states.position == reader.covisit.position == reader.boards.position == 4
    assert (reader.states.newest, reader.states.beat) == (NOW, NOW)


def test_a_step_folds_at_most_a_batch_and_more_once_it_is_behind(tmp_path: Path) -> None:
    settings = settings_at(tmp_path, batch=10)
    fill(settings, some_events(200))
    worker, _ = worker_at(settings)
    assert (worker.step(), worker.lag) == (10, 190)
    assert (worker.step(), worker.lag) == (10 * worker_module.CATCH_UP, 30)
    assert (worker.step(), worker.step(), worker.lag) == (30, 0, 0)


def test_a_new_item_shows_without_any_event(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    fill(settings, [])
    worker, stores = worker_at(settings)
    worker.drain()
    stores.items.put([Item(item_id="new", categories=("fresh",))])
    assert worker.drain() == 0
    row = stores.items.rows(["new"], create=False)[0]
    assert stores.columns.servable[row] == 1
    assert stores.boards.top("fresh", 1)[0].tolist() == [row]


def test_bulk_work_on_the_catalogue_does_not_hold_up_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "CHANGES", 10)
    settings = settings_at(tmp_path, batch=10)
    fill(settings, some_events(10))
    worker, stores = worker_at(settings)
    assert worker.step() == 10
    assert np.count_nonzero(stores.columns.servable) == 10, "one slice of thirty"
    assert worker.drain() == 0
    assert np.count_nonzero(stores.columns.servable) == 30


def test_it_does_not_rest_while_changes_of_the_catalogue_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "CHANGES", 10)
    settings = settings_at(tmp_path)
    fill(settings, [])
    worker, stores = worker_at(settings)
    shown = []

    class Rests(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            shown.append(np.count_nonzero(stores.columns.servable))
            self.set()
            return True

    worker.run(Rests())
    assert shown == [30]


def test_an_item_first_named_by_an_event_counts_and_shows_once_it_is_known(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    early = Event(event_id="e", kind=Kind.LIKE, time=NOW, user_id="u", item_id="later")
    fill(settings, [early])
    worker, stores = worker_at(settings)
    worker.drain()
    row = int(stores.items.rows(["later"], create=False)[0])
    assert stores.boards.top("popular", 9)[0].tolist() == []
    stores.items.put([Item(item_id="later")])
    worker.drain()
    assert stores.boards.top("popular", 9)[0].tolist() == [row]


def test_a_restarted_worker_goes_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    fill(settings, some_events(50))
    worker, stores = worker_at(settings)
    worker.drain()
    close(stores)
    SqliteLog(settings.path("events.db")).append(some_events(50, start=50), NOW)
    again, _ = worker_at(settings)
    assert not again.recover()
    assert again.drain() == 50


@pytest.mark.parametrize("lost", ["states", "covisit", "boards"])
def test_projections_that_are_lost_are_read_anew(tmp_path: Path, lost: str) -> None:
    settings = settings_at(tmp_path)
    fill(settings, some_events(100))
    worker, stores = worker_at(settings)
    worker.drain()
    before = (
        stores.states.packed(np.arange(ITEMS, dtype=np.int32)),
        [stores.covisit.pack(row) for row in range(ITEMS)],
        stores.boards.top("popular", 99)[0].tolist(),
        stores.states.newest,
    )
    close(stores)
    for file in settings.path("columns").glob(f"{lost}/*"):
        file.unlink()
    again, stores = worker_at(settings)
    assert again.recover() == (lost != "boards")
    assert again.drain() == 0
    assert before == (
        stores.states.packed(np.arange(ITEMS, dtype=np.int32)),
        [stores.covisit.pack(row) for row in range(ITEMS)],
        stores.boards.top("popular", 99)[0].tolist(),
        stores.states.newest,
    )


def test_a_state_ahead_of_its_log_is_refused_in_words(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    fill(settings, some_events(20))
    worker, stores = worker_at(settings)
    worker.drain()
    close(stores)
    for file in tmp_path.glob("events.db*"):
        file.unlink()
    again, _ = worker_at(settings)
    with pytest.raises(CorruptStore, match="another log's; run `palate rebuild`"):
        again.recover()


def test_an_event_that_cannot_be_folded_is_set_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    good = Event(event_id="good", kind=Kind.LIKE, time=NOW, user_id="u", item_id="i1")
    bad = [
        msgspec.structs.replace(good, event_id="when", time=float("inf")),
        msgspec.structs.replace(good, event_id="much", value=1e300),
        msgspec.structs.replace(good, event_id="where", position=99_999),
        msgspec.structs.replace(good, event_id="who", user_id=""),
    ]
    fill(settings, [*bad, good])
    worker, stores = worker_at(settings)
    assert worker.drain() == 5
    assert stores.states.times.max() == NOW
    aside = settings.path("columns") / FILE
    told = [msgspec.json.decode(line) for line in aside.read_bytes().splitlines()]
    assert [entry["event_id"] for entry in told] == ["when", "much", "where", "who"]
    assert told[0]["problem"]["pointer"] == "/time"
    assert set(told[0]) == {"position", "event_id", "kind", "problem"}, "nothing says who"


def test_what_does_not_read_back_is_set_aside_too_and_once(tmp_path: Path) -> None:
    settings = settings_at(tmp_path, batch=1)
    fill(settings, some_events(5))
    with closing(sqlite3.connect(settings.path("events.db"))) as file, file:
        file.execute("update event set rest = x'c1' where position = 2")
        file.execute("update event set kind = 99 where position = 4")
    worker, stores = worker_at(settings)
    assert worker.drain() == 5
    assert worker.lag == 0
    close(stores)
    shutil.rmtree(settings.path("online"))
    again, stores = worker_at(settings)
    again.recover()
    again.drain()
    aside = settings.path("columns")
    told = [msgspec.json.decode(line) for line in (aside / FILE).read_bytes().splitlines()]
    assert [entry["position"] for entry in told] == [2, 4]
    assert "does not read back" in told[0]["problem"]["problem"]
    assert count(aside) == 2
    check = compare(settings, stores.log, stores.online, partial(stores.items.rows, create=False))
    assert check.equal


def test_the_list_of_what_was_set_aside_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aside_module, "MOST_BYTES", 2_000)
    aside, event = Aside(tmp_path), some_events(1)[0]
    for position in range(1, 60):
        logged = Logged(position, NOW, event)
        kept = aside.keep([Refused(logged, Problem("/x", "no"))])
        assert len(kept) == 1
        assert aside.keep(kept) == []
    assert 5 < count(tmp_path) < 40
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"position": 77')  # a crash while it was written
    assert len(aside.keep([Refused(Logged(60, NOW, event), Problem("/x", "no"))])) == 1


def test_a_merged_session_leaves_only_the_name_of_its_owner_behind(tmp_path: Path) -> None:
    settings = settings_at(tmp_path, batch=1)
    seen = Event(event_id="1", kind=Kind.CLICK, time=NOW, session_id="s", item_id="i1")
    login = Event(event_id="2", kind=Kind.SEARCH, time=NOW + 1, session_id="s", user_id="u")
    later = Event(event_id="3", kind=Kind.CLICK, time=NOW + 2, session_id="s", item_id="i2")
    fill(settings, [seen, login, later])
    worker, stores = worker_at(settings)
    worker.step()
    assert stores.online.user(session_key("s")) is not None
    worker.step()
    raw = stores.online.user(session_key("s"))
    assert raw is not None
    assert owner_of(raw) == user_key("u")
    assert UserState.unpack(1, raw).total == 0
    stream_worker(stores, worker.clock).drain()
    found = state_of(stores.online, session_key("s"))
    assert found.key == user_key("u"), "also for a worker that has just begun"
    assert found.history.tolist() == [1, 2]


def test_it_runs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    settings = settings_at(tmp_path, poll_milliseconds=1)
    fill(settings, some_events(10))
    worker, stores = worker_at(settings)
    stop, came = threading.Event(), threading.Event()

    class Tells:
        def now(self) -> float:
            came.set()
            return NOW

        def draw(self) -> int:
            return 0

    worker.clock = Tells()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    assert came.wait(30)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    assert stores.states.position == 10


def test_users_beyond_the_working_set_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_at(tmp_path, batch=3)
    fill(settings, some_events(60))
    monkeypatch.setattr(worker_module, "WORKING_SET", 2)
    monkeypatch.setattr(worker_module, "CATCH_UP", 1)
    worker, stores = worker_at(settings)
    worker.drain()
    other = settings_at(tmp_path / "other")
    fill(other, some_events(60))
    whole, others = worker_at(other)
    whole.drain()
    assert dict(stores.online.scan("users")) == dict(others.online.scan("users"))


def test_other_covisit_settings_count_the_log_again(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    fill(settings, some_events(100))
    worker, stores = worker_at(settings)
    worker.drain()
    close(stores)
    changed = msgspec.structs.replace(settings, covisit=CovisitSettings(window=2, gamma=0.5))
    again, stores = worker_at(changed)
    assert again.recover()
    replay = Replay(changed, ItemColumns.in_memory())
    replay.read(stores.log, partial(stores.items.rows, create=True))
    kept = [stores.covisit.pack(row) for row in range(ITEMS)]
    assert kept == [replay.covisit.pack(row) for row in range(ITEMS)]
    assert dict(stores.online.scan("users")) == replay.record().users
    assert stores.covisit.position == stores.states.position == 100
    assert not again.recover()


def test_records_of_another_form_count_the_log_again(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    fill(settings, some_events(100))
    worker, stores = worker_at(settings)
    worker.drain()
    whole = dict(stores.online.scan("users"))
    old = {key: raw[:28] + b"\x01\x02\x03\x00" + raw[36:] for key, raw in whole.items()}
    stores.online.commit(StateChange(stores.online.position(), users=old))
    close(stores)
    again, stores = worker_at(settings)
    assert again.recover()
    assert dict(stores.online.scan("users")) == whole
    assert not again.recover()


def test_settings_that_only_read_covisit_leave_the_counts_alone(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    fill(settings, some_events(100))
    worker, stores = worker_at(settings)
    worker.drain()
    close(stores)
    changed = msgspec.structs.replace(settings, covisit=CovisitSettings(alpha=0.9, decay=0.1))
    again, _ = worker_at(changed)
    assert not again.recover()


@pytest.mark.parametrize("when", ["before a start", "under a running worker"])
def test_a_damaged_state_is_set_aside_and_folded_again(
    tmp_path: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palate.features.online.lmdb.LOOK", 0.0)
    settings = settings_at(tmp_path)
    fill(settings, some_events(200))
    worker, stores = worker_at(settings)
    worker.drain()
    held = {table: dict(stores.online.scan(table)) for table in TABLES}
    if when == "before a start":
        close(stores)
        (tmp_path / "online" / "data.mdb").write_bytes(b"noise" * 9_000)
        worker, stores = worker_at(settings)
        assert worker.recover()
    else:
        os.truncate(tmp_path / "online" / "data.mdb", 0)
        monkeypatch.setattr("palate.features.online.lmdb.LOOSE", 0)
        fill(settings, some_events(1, 500))
        fill(settings, some_events(1, 501))
    worker.drain()
    again = {table: dict(stores.online.scan(table)) for table in TABLES}
    assert again["users"].keys() >= held["users"].keys()
    assert when != "before a start" or again == held
    assert worker.position == stores.log.end()
    assert (tmp_path / "online.damaged").is_dir()


def test_a_disk_that_takes_nothing_holds_events_up_and_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_at(tmp_path)
    fill(settings, some_events(50))
    worker, stores = worker_at(settings)
    stop, tries, commit = threading.Event(), [], stores.online.commit

    def full(change: StateChange) -> None:
        tries.append(change.position)
        if len(tries) < 4:
            raise Unavailable("the disk is full")
        commit(change)
        stop.set()

    monkeypatch.setattr(stores.online, "commit", full)
    monkeypatch.setattr(worker_module, "HELD_UP", 0.0)
    worker.run(stop)
    assert (worker.position, len(tries)) == (50, 4)
    rows_of = partial(stores.items.rows, create=False)
    assert compare(settings, stores.log, stores.online, rows_of).equal
    assert [r.message for r in caplog.records if "wait" in r.message] == [
        "events wait in the log: the disk is full"
    ]


def test_mapped_files_that_were_written_over_are_made_anew(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    fill(settings, some_events(50))
    worker, stores = worker_at(settings)
    worker.drain()
    every = np.arange(ITEMS, dtype=np.int32)
    counters = stores.states.packed(every)
    for file in (tmp_path / "columns").rglob("*.map"):
        with file.open("r+b") as held:
            held.write(b"noise!!!" * 8)
    reader = open_stores(settings)
    assert reader.columns.size == 0
    worker.drain()
    refresh(reader)
    assert stores.states.packed(every) == counters == reader.states.packed(every)
    assert reader.columns.size == ITEMS
    assert reader.columns.servable[:ITEMS].all()
    assert reader.columns.category_names() == ["c0", "c1", "c2"]
    assert reader.boards.top("popular", 3)[0].tolist()


def test_what_cannot_be_set_aside_is_tried_again_and_no_event_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_at(tmp_path)
    bad = Event(event_id="bad", kind=Kind.LIKE, time=math.inf, user_id="u", item_id="i1")
    fill(settings, [bad, *some_events(5)])
    worker, _ = worker_at(settings)
    worker.recover()
    in_the_way = settings.path("columns") / FILE
    in_the_way.mkdir()  # as little to be written to as a file on a full disk
    with pytest.raises(Unavailable, match="cannot be written"):
        worker.drain()
    stop, waits = threading.Event(), []

    def mended(seconds: float) -> None:
        waits.append(seconds)
        in_the_way.rmdir()

    monkeypatch.setattr(stop, "wait", lambda seconds: mended(seconds) if not waits else stop.set())
    worker.run(stop)
    assert worker.position == 6
    assert count(settings.path("columns")) == 1
    assert "events wait in the log" in caplog.text


def test_a_disk_that_takes_nothing_at_the_start_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_at(tmp_path)
    fill(settings, some_events(5))
    worker, _ = worker_at(settings)
    tries, stop, recover = [], threading.Event(), type(worker).recover

    def full(self: StreamWorker) -> bool:
        tries.append(1)
        if len(tries) == 1:
            raise Unavailable("the disk is full")
        return recover(self) or stop.set() is None

    monkeypatch.setattr(StreamWorker, "recover", full)
    monkeypatch.setattr(worker_module, "HELD_UP", 0.0)
    worker.run(stop)
    assert worker.position == 5

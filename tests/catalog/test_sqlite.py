import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from palate.catalog import database
from palate.catalog.item import Item
from palate.catalog.sqlite import SqliteItems, SqliteUsers
from palate.catalog.user import User
from palate.errors import BadInput, CorruptStore, Unavailable
from palate.testing.catalog import (
    EmptyItems,
    EmptyUsers,
    ItemCatalogContract,
    UserCatalogContract,
    vectored,
)


class TestSqliteItems(ItemCatalogContract):
    @pytest.fixture
    def empty(self, tmp_path: Path) -> EmptyItems:
        numbers = count()
        return lambda: SqliteItems(tmp_path / f"{next(numbers)}.db")


class TestSqliteUsers(UserCatalogContract):
    @pytest.fixture
    def empty(self, tmp_path: Path) -> EmptyUsers:
        numbers = count()
        return lambda: SqliteUsers(tmp_path / f"{next(numbers)}.db")


def test_items_and_users_share_a_file_and_survive_closing(tmp_path: Path) -> None:
    items, users = SqliteItems(tmp_path / "c.db"), SqliteUsers(tmp_path / "c.db")
    items.put([Item(item_id="a")])
    users.put([User(user_id="u")])
    items.close()
    users.close()
    assert SqliteItems(tmp_path / "c.db").find(["a"]) == [Item(item_id="a")]
    assert SqliteUsers(tmp_path / "c.db").count() == 1


def test_another_process_sees_a_change_at_once_and_rows_agree(tmp_path: Path) -> None:
    one, two = SqliteItems(tmp_path / "c.db"), SqliteItems(tmp_path / "c.db")
    assert one.rows(["a", "b"], create=True).tolist() == [0, 1]
    assert two.rows(["b", "c", "a"], create=True).tolist() == [1, 2, 0]
    assert one.rows(["c"], create=False).tolist() == [2]
    two.put([Item(item_id="b")])
    assert [change.row for change in one.changes(0, 9)] == [1]


def test_a_batch_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    items = SqliteItems(tmp_path / "c.db")
    too_big = Item(item_id="b", attributes={"n": 2**64})
    with pytest.raises(OverflowError):
        items.put([Item(item_id="a"), too_big])
    with pytest.raises(CorruptStore):
        _break_the_second_insert(tmp_path / "c.db", items)
    assert items.counts() == (0, 0)


def _break_the_second_insert(path: Path, items: SqliteItems) -> None:
    with sqlite3.connect(path) as db:
        db.execute(
            "create trigger no before insert on item when new.item_id = 'bad' "
            "begin select raise(abort, 'no'); end"
        )
    items.put([Item(item_id="good"), Item(item_id="bad")])


def test_threads_may_share_a_catalogue(tmp_path: Path) -> None:
    items = SqliteItems(tmp_path / "c.db")
    together = threading.Barrier(4)

    def work(who: int) -> list[int]:
        together.wait()
        for n in range(20):
            items.put([Item(item_id=f"{who}-{n}")])
        return items.rows([f"shared-{n}" for n in range(20)], create=True).tolist()

    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(work, range(4)))
    assert rows[0] == rows[1] == rows[2] == rows[3]
    assert items.counts() == (80, 100)
    versions = [change.version for change in items.changes(0, 1000)]
    assert len(set(versions)) == 80


def _give_rows(path: Path, who: int) -> None:
    items = SqliteItems(path)
    for n in range(30):
        items.rows([f"both-{n}", f"{who}-{n}"], create=True)
        items.put([Item(item_id=f"both-{n}", title=str(who)), Item(item_id=f"{who}-{n}")])


def test_processes_may_share_a_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    workers = [get_context("spawn").Process(target=_give_rows, args=(path, w)) for w in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    items = SqliteItems(path)
    assert items.counts() == (90, 90)
    assert sorted(change.row for change in items.changes(0, 999)) == list(range(90))


def _count_up(path: Path, times: int) -> None:
    """Each time reads the number held and writes the next one."""
    items, users = SqliteItems(path), SqliteUsers(path)
    for _ in range(times):
        items.edit("i", lambda item: replace(item, min_age=item.min_age + 1))
        users.edit("u", lambda user: replace(user, language=user.language + "x"))


def test_edits_from_several_processes_and_threads_lose_none(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    SqliteItems(path).put([Item(item_id="i")])
    SqliteUsers(path).put([User(user_id="u")])
    workers = [get_context("spawn").Process(target=_count_up, args=(path, 30)) for _ in range(2)]
    for worker in workers:
        worker.start()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: _count_up(path, 30), range(2)))
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    [item], [user] = SqliteItems(path).find(["i"]), SqliteUsers(path).find(["u"])
    assert item
    assert user
    assert (item.min_age, len(user.language)) == (120, 120)


def _embed(path: Path, width: int) -> None:
    """Each of two processes would have the catalogue in its own width."""
    items = SqliteItems(path)
    for n in range(20):
        with suppress(BadInput):
            items.put([vectored(f"{width}-{n}", width)])


def test_of_two_processes_only_one_sets_the_width(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    workers = [get_context("spawn").Process(target=_embed, args=(path, w)) for w in (2, 3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    held = [change.item for change in SqliteItems(path).changes(0, 999)]
    assert len(held) == 20
    assert len({len(item.embedding) for item in held if item}) == 1


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.db").write_bytes(b"this is not a database, it is a letter" * 100)
    with pytest.raises(CorruptStore, match=r"c\.db is not a readable SQLite database"):
        SqliteItems(tmp_path / "c.db").counts()


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    SqliteItems(tmp_path / "c.db").close()
    with sqlite3.connect(tmp_path / "c.db") as db:
        db.execute("pragma user_version = 9")
    with pytest.raises(CorruptStore, match="written by another version of Palate"):
        SqliteItems(tmp_path / "c.db").counts()


def test_a_connection_that_came_while_the_disk_was_read_only_does_not_stay_so(
    tmp_path: Path,
) -> None:
    items = SqliteItems(tmp_path / "c.db")
    items._database._connection().execute("pragma query_only = on")
    with pytest.raises(Unavailable, match="readonly"):
        items.put([Item(item_id="a")])
    assert items.put([Item(item_id="a")]) == 1


def test_a_file_that_is_put_right_again_is_used(tmp_path: Path) -> None:
    SqliteItems(tmp_path / "c.db").close()
    whole = (tmp_path / "c.db").read_bytes()
    (tmp_path / "c.db").write_bytes(b"noise" * 1_000)
    items = SqliteItems(tmp_path / "c.db")
    with pytest.raises(CorruptStore):
        items.counts()
    (tmp_path / "c.db").write_bytes(whole)
    assert items.put([Item(item_id="a")]) == 1


def test_a_document_that_does_not_read_back_is_named(tmp_path: Path) -> None:
    items, users = SqliteItems(tmp_path / "c.db"), SqliteUsers(tmp_path / "c.db")
    items.put([Item(item_id="a")])
    users.put([User(user_id="u")])
    with sqlite3.connect(tmp_path / "c.db") as db:
        db.execute("update item set document = x'c1'")
        db.execute("update user set document = x'c1'")
    with pytest.raises(CorruptStore, match="an item does not read back"):
        items.find(["a"])
    with pytest.raises(CorruptStore, match="a user does not read back"):
        users.page("", 1)


def test_a_folder_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "c.db").mkdir()
    with pytest.raises(Unavailable, match="unable to open"):
        SqliteItems(tmp_path / "c.db").counts()


def test_remembered_rows_stay_right_beyond_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palate.catalog.sqlite.CACHED", 3)
    items = SqliteItems(tmp_path / "c.db")
    names = [f"i{n}" for n in range(10)]
    assert items.rows(names, create=True).tolist() == list(range(10))
    assert items.rows(names[::-1], create=False).tolist() == list(range(9, -1, -1))
    assert items.ids(np.arange(10, dtype=np.int32)) == names
    assert len(items._row_of) <= 3


def test_a_file_is_closed_when_other_threads_have_ended_what_they_do(tmp_path: Path) -> None:
    items = SqliteItems(tmp_path / "catalog.db")
    names = [f"item-{n}" for n in range(400)]
    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(lambda n=n: items.rows([n], create=True)) for n in names]
        while not all(each.done() for each in writing):
            items.close()
    assert sorted(int(each.result()[0]) for each in writing) == list(range(400))


def test_what_another_thread_does_not_end_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CLOSING_SECONDS", 0.01)
    held = database.Database(tmp_path / "some.db", "create table if not exists t (k integer)")
    begun, closed = threading.Event(), threading.Event()

    def write() -> None:
        with held.writing() as db:
            begun.set()
            assert closed.wait(60)
            db.execute("insert into t values (1)")

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        assert begun.wait(60)
        held.close()
        closed.set()
        writing.result()
    with held.reading() as db:
        assert db.execute("select k from t").fetchall() == [(1,)]

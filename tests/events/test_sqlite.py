import os
import signal
import sqlite3
import subprocess
import sys
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import pytest

from palate.errors import CorruptStore
from palate.events.kinds import Event, Kind
from palate.events.sqlite import SqliteLog
from palate.testing.event_log import EmptyLog, EventLogContract, click, farewell


class TestSqliteLog(EventLogContract):
    @pytest.fixture
    def empty(self, tmp_path: Path) -> EmptyLog:
        numbers = count()
        return lambda: SqliteLog(tmp_path / f"{next(numbers)}.db")


def test_positions_never_come_again(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "e.db")
    log.append([click("a"), click("b")], 1.0)
    with sqlite3.connect(tmp_path / "e.db") as db:
        db.execute("delete from event")
    log.append([click("c")], 1.0)
    assert log.read(0, 9)[0].position == 3


def test_every_commit_is_synced_to_the_disk(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "e.db")
    with log._database.reading() as db:
        assert db.execute("pragma synchronous").fetchone() == (2,)
        assert db.execute("pragma journal_mode").fetchone() == ("wal",)


def _append(path: Path, who: int) -> None:
    log = SqliteLog(path)
    for n in range(100):
        log.append([click(f"{who}-{n}-{m}") for m in range(3)], 1.0)


def test_a_reader_misses_nothing_while_processes_append(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    log = SqliteLog(path)
    workers = [get_context("spawn").Process(target=_append, args=(path, w)) for w in range(3)]
    for worker in workers:
        worker.start()
    seen: list[str] = []
    position, alive = 0, True
    while alive or position < log.end():
        alive = any(worker.is_alive() for worker in workers)
        for each in log.read(position, 50):
            position = each.position
            seen.append(each.event.event_id)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(seen) == len(set(seen)) == 900


APPENDER = """
import sys
from pathlib import Path
from palate.events.sqlite import SqliteLog
from palate.events.kinds import Event, Kind
log = SqliteLog(Path(sys.argv[1]))
for n in range(10**6):
    log.append([Event(event_id=str(n), kind=Kind.CLICK, time=1.0, user_id="u", item_id="i")], 1.0)
    print(n, flush=True)
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    command = [sys.executable, "-c", APPENDER, str(tmp_path / "e.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        acknowledged = [int(writer.stdout.readline()) for _ in range(20)]
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
    held = {int(each.event.event_id) for each in SqliteLog(tmp_path / "e.db").read(0, 10**6)}
    assert held >= set(acknowledged)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "e.db").write_bytes(b"\x00" * 5_000)
    with pytest.raises(CorruptStore, match=r"e\.db"):
        SqliteLog(tmp_path / "e.db").end()


def test_an_event_that_does_not_read_back_holds_up_no_other(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "e.db")
    unread = Event(event_id="b", kind=Kind.VIEW, time=1.0, user_id="u", context={"a": 1})
    log.append([click("a"), unread], 1.0)
    with sqlite3.connect(tmp_path / "e.db") as db:
        db.execute("update event set rest = x'c1' where event_id = 'b'")
    log.append([click("c")], 2.0)
    first, broken, last = log.read(0, 9)
    assert (first.event.event_id, last.event.event_id) == ("a", "c")
    assert (broken.position, broken.received, broken.event.event_id) == (2, 1.0, "b")
    assert broken.event.kind is Kind.UNREADABLE
    assert "does not read back" in broken.event.properties["problem"]
    log.append([farewell("d")], 3.0)
    assert log.pseudonymise("u", "nobody", log.end()).events == 4

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from palate.clock import FixedClock
from palate.errors import Unavailable
from palate.events.ingest import GroupCommit
from palate.events.kinds import Event
from palate.events.protocol import Appended
from palate.events.sqlite import SqliteLog
from palate.testing.event_log import click


class SlowLog(SqliteLog):
    """The real log, which waits before its first transaction and remembers how big each was."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.go, self.writing = threading.Event(), threading.Event()
        self.turns: list[int] = []
        self.fail = False

    def append_all(self, batches: Sequence[Sequence[Event]], received: float) -> list[Appended]:
        self.writing.set()
        self.go.wait()
        self.turns.append(len(batches))
        if self.fail:
            raise Unavailable("the disk is full")
        return super().append_all(batches, received)


def test_each_caller_learns_of_their_own_events(tmp_path: Path) -> None:
    async def run() -> list[Appended]:
        commit = GroupCommit(SqliteLog(tmp_path / "e.db"), FixedClock(7.0))
        first = await commit.append([click("a"), click("a")])
        rest = await asyncio.gather(commit.append([click("a")]), commit.append([click("b")]))
        commit.close()
        return [first, *rest, await commit.append([])]

    assert asyncio.run(run()) == [(1, 1), (0, 1), (1, 0), (0, 0)]
    assert [e.received for e in SqliteLog(tmp_path / "e.db").read(0, 9)] == [7.0, 7.0]


def test_what_waits_while_the_disk_is_busy_goes_in_one_transaction(tmp_path: Path) -> None:
    log = SlowLog(tmp_path / "e.db")

    async def run() -> None:
        commit = GroupCommit(log, FixedClock())
        waiting = [asyncio.ensure_future(commit.append([click(str(n))])) for n in range(50)]
        await asyncio.sleep(0)
        log.go.set()
        await asyncio.gather(*waiting)
        commit.close()

    asyncio.run(run())
    assert log.count() == sum(log.turns) == 50
    assert len(log.turns) <= 2


def test_a_turn_holds_a_bounded_number_of_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palate.events.ingest.MOST", 4)
    log = SlowLog(tmp_path / "e.db")

    async def run() -> None:
        commit = GroupCommit(log, FixedClock())
        batches = [[click(f"{n}-{m}") for m in range(2)] for n in range(10)]
        waiting = [asyncio.ensure_future(commit.append(batch)) for batch in batches]
        await asyncio.sleep(0)
        log.go.set()
        await asyncio.gather(*waiting)
        commit.close()

    asyncio.run(run())
    assert max(log.turns) <= 2
    assert log.count() == 20


def test_beyond_a_bound_senders_are_told_to_come_again(tmp_path: Path) -> None:
    log = SlowLog(tmp_path / "e.db")

    async def run() -> None:
        commit = GroupCommit(log, FixedClock(), most_waiting=5)
        large = asyncio.ensure_future(commit.append([click(f"a{n}") for n in range(9)]))
        await asyncio.sleep(0)
        assert commit.waiting == 9, "one batch is taken however large it is"
        with pytest.raises(Unavailable, match="9 events wait for the disk"):
            await commit.append([click("b")])
        log.go.set()
        await large
        assert commit.waiting == 0
        assert await commit.append([click("b")]) == (1, 0)
        commit.close()

    asyncio.run(run())


def test_a_failing_log_fails_every_caller_and_the_next_may_succeed(tmp_path: Path) -> None:
    log = SlowLog(tmp_path / "e.db")
    log.go.set()
    log.fail = True

    async def run() -> list[object]:
        commit = GroupCommit(log, FixedClock())
        waiting = [commit.append([click(name)]) for name in "ab"]
        failed = await asyncio.gather(*waiting, return_exceptions=True)
        log.fail = False
        stored = await commit.append([click("a")])
        commit.close()
        return [*failed, stored]

    first, second, stored = asyncio.run(run())
    assert isinstance(first, Unavailable)
    assert isinstance(second, Unavailable)
    assert stored == (1, 0)


def test_an_unforeseen_failure_reaches_the_caller_and_the_writer_lives_on(tmp_path: Path) -> None:
    async def run() -> Appended:
        commit = GroupCommit(SqliteLog(tmp_path / "e.db"), FixedClock())
        with pytest.raises(AttributeError):
            await commit.append([None])  # type: ignore[list-item]
        stored = await commit.append([click("a")])
        commit.close()
        return stored

    assert asyncio.run(run()) == (1, 0)


def test_a_caller_who_left_disturbs_nobody(tmp_path: Path) -> None:
    log = SlowLog(tmp_path / "e.db")

    async def run() -> Appended:
        commit = GroupCommit(log, FixedClock())
        busy = asyncio.ensure_future(commit.append([click("first")]))
        await asyncio.sleep(0)
        await asyncio.to_thread(log.writing.wait)
        gone = asyncio.ensure_future(commit.append([click("a")]))
        stays = asyncio.ensure_future(commit.append([click("b")]))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        log.go.set()
        await busy
        answer = await stays
        commit.close()
        return answer

    assert asyncio.run(run()) == (1, 0)
    assert log.count() == 3


def test_closing_stores_what_waits_and_refuses_what_comes_later(tmp_path: Path) -> None:
    log = SlowLog(tmp_path / "e.db")

    async def run() -> list[Appended]:
        commit = GroupCommit(log, FixedClock())
        waiting = [asyncio.ensure_future(commit.append([click(name)])) for name in "ab"]
        await asyncio.sleep(0)
        log.go.set()
        commit.close()
        with pytest.raises(Unavailable, match="closing"):
            await commit.append([click("late")])
        return await asyncio.gather(*waiting)

    assert asyncio.run(run()) == [(1, 0), (1, 0)]
    assert log.count() == 2

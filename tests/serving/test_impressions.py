"""The queue of impressions: nothing ends it, and what it loses is counted."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from palate.clock import FixedClock
from palate.events.ingest import GroupCommit
from palate.events.kinds import Event, Kind
from palate.events.sqlite import SqliteLog
from palate.serving.impressions import Impressions
from palate.serving.meters import Meters


def shown(name: str) -> Event:
    return Event(event_id=name, kind=Kind.IMPRESSION, time=1.0, user_id="u", item_id="i")


def lost(meters: Meters) -> str:
    told = meters.render().decode()
    return next(
        (
            line.rpartition(" ")[2]
            for line in told.splitlines()
            if 'what="impression"' in line and line.startswith("palate_background_dropped_total")
        ),
        "0.0",
    )


def test_one_that_breaks_does_not_end_those_that_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log, meters = SqliteLog(tmp_path / "events.db"), Meters()
    append, tries = log.append_all, []

    def breaks(batches: Any, received: float) -> Any:
        tries.append(batches)
        if len(tries) == 1:
            raise RuntimeError("no such thing was thought of")
        return append(batches, received)

    async def scene() -> None:
        monkeypatch.setattr(log, "append_all", breaks)
        commit = GroupCommit(log, FixedClock(1.0))
        impressions = Impressions(commit, meters)
        running = asyncio.create_task(impressions.run())
        for name in ("first", "second"):
            impressions.note(shown(name))
            await asyncio.wait_for(impressions.settle(), 10.0)
        assert impressions.give_up() == 0
        running.cancel()
        await asyncio.to_thread(commit.close)

    asyncio.run(scene())
    assert [each.event.event_id for each in log.read(0, 9)] == ["second"]
    assert lost(meters) == "1.0"
    assert "logging of impressions failed: RuntimeError" in caplog.text
    log.close()


def test_what_the_end_leaves_unwritten_is_counted(tmp_path: Path) -> None:
    log, meters = SqliteLog(tmp_path / "events.db"), Meters()
    impressions = Impressions(GroupCommit(log, FixedClock(1.0)), meters)
    for n in range(3):
        impressions.note(shown(str(n)))
    assert impressions.give_up() == 3
    assert lost(meters) == "3.0"
    log.close()

"""A log read from end to end in parts, whatever their size and where it begins and ends."""

from pathlib import Path

import pytest

from palate.events.kinds import Event, Kind
from palate.events.protocol import read_log
from palate.events.sqlite import SqliteLog

EVENTS = 10


@pytest.fixture(scope="module")
def log() -> SqliteLog:
    held = SqliteLog(Path(":memory:"))
    held.append([Event(event_id=f"e{n}", kind=Kind.VIEW, time=n) for n in range(EVENTS)], 0.0)
    return held


@pytest.mark.parametrize("part", [1, 3, 5, 100])
@pytest.mark.parametrize("after", [0, 4, EVENTS])
@pytest.mark.parametrize("until", [None, 0, 4, 5, 6, EVENTS, EVENTS + 1])
def test_parts_are_whole_and_in_order(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch, part: int, after: int, until: int | None
) -> None:
    monkeypatch.setattr("palate.events.protocol.PART", part)
    found = list(read_log(log, after, until))
    last = EVENTS if until is None else min(until, EVENTS)
    assert [e.position for each in found for e in each] == list(range(after + 1, last + 1))
    assert all(0 < len(each) <= part for each in found)

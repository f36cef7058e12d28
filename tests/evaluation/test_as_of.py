"""A past that is told again: event by event as it was, however much is read at once."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.property.histories import ITEMS, TIGHT, logs, unhurried

from palate.arrays import Mask, Rows
from palate.catalog.columns import ItemColumns
from palate.catalog.item import Item
from palate.catalog.sqlite import SqliteItems
from palate.catalog.user import user_key
from palate.evaluation import as_of
from palate.evaluation.as_of import PastLog, Shelf, read_all, retold
from palate.events.batch import EventBatch, people
from palate.events.kinds import Event, Kind
from palate.events.protocol import Logged
from palate.events.sqlite import SqliteLog
from palate.streaming.replay import Replay

PARTS = st.integers(1, 4)


def rows_of(ids: Sequence[str]) -> Rows:
    return np.array([ITEMS.index(name) for name in ids], np.int32)


def stored(entries: Sequence[Logged]) -> tuple[SqliteLog, EventBatch]:
    log, items = SqliteLog(Path(":memory:")), SqliteItems(Path(":memory:"))
    items.put([Item(item_id=name) for name in ITEMS])
    log.append([entry.event for entry in entries], 0.0)
    return log, read_all(log, Shelf.of(items), lambda _: None)[0]


def some_of(batch: EventBatch, lots: int) -> Mask:
    """Whole events, by lot."""
    return np.array([(lots >> (at % 50)) & 1 for at in batch.position.tolist()], np.bool_)


@unhurried
@given(logs(), st.integers(0, 2**50), PARTS)
def test_what_was_kept_is_read_again_profiles_first(
    entries: list[Logged], lots: int, limit: int
) -> None:
    log, batch = stored(entries)
    kept = some_of(batch, lots)
    past = PastLog(log, retold(batch, kept))
    found: list[Logged] = []
    while part := past.read(len(found), limit):
        assert len(part) <= limit
        found += part
    held = set(batch.position[kept].tolist())
    whole = [entry.event for entry in log.read(0, 1_000) if entry.position in held]
    acts = [event for event in whole if event.kind is not Kind.PROFILE]
    begun = min((event.time for event in acts), default=0.0)
    profiles = [
        msgspec.structs.replace(event, time=min(event.time, begun))
        for event in whole
        if event.kind is Kind.PROFILE
    ]
    told = enumerate([*profiles, *acts], start=1)
    assert found == [Logged(at, event.time, event) for at, event in told]
    assert past.count() == past.end() == len(found)


@unhurried
@given(logs(), st.integers(0, 2**50))
def test_its_columns_fold_as_its_events_do(entries: list[Logged], lots: int) -> None:
    log, batch = stored(entries)
    told = retold(batch, some_of(batch, lots))
    by_columns, by_events = (Replay(TIGHT, ItemColumns.in_memory()) for _ in range(2))
    for part in told.chunks():
        by_columns.apply(part)
    by_events.read(PastLog(log, told), rows_of)
    assert by_columns.record() == by_events.record()


@unhurried
@given(logs())
def test_what_is_known_of_a_person_hangs_on_their_own_events_alone(entries: list[Logged]) -> None:
    kept = [entry for entry in entries if entry.event.kind is not Kind.FORGET]
    _, batch = stored(kept)
    everybody = Replay(TIGHT, ItemColumns.in_memory())
    everybody.apply(batch)
    for name in "uv":
        alone = Replay(TIGHT, ItemColumns.in_memory())
        alone.apply(batch.take(people(batch) == user_key(name)))
        mine, among = alone.user(user_key(name)), everybody.user(user_key(name))
        for field in ("history", "times", "signals", "shown", "seen", "counters", "follows"):
            np.testing.assert_array_equal(getattr(mine, field), getattr(among, field), field)
        assert (mine.total, mine.sessions, mine.last_time) == (
            (among.total, among.sessions, among.last_time)
        )


def test_a_log_of_several_chunks_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(as_of, "CHUNK", 3)
    monkeypatch.setattr("palate.events.protocol.PART", 3)
    log, items = SqliteLog(Path(":memory:")), SqliteItems(Path(":memory:"))
    told = [("u", Kind.PROFILE)] * 2 + [("v", Kind.SEARCH)] * 8 + [("u", Kind.PROFILE)] * 2
    log.append(
        [
            Event(event_id=str(at), kind=kind, time=at, user_id=user)
            for at, (user, kind) in enumerate(told)
        ],
        0.0,
    )
    batch, events = read_all(log, Shelf.of(items), lambda _: None)
    past = PastLog(log, retold(batch, batch.position != 5))
    assert events == 12
    order = ["0", "1", "10", "11", "2", "3", "5", "6", "7", "8", "9"]
    assert [entry.event.event_id for entry in past.read(0, 100)] == order
    assert [entry.event.event_id for entry in past.read(3, 4)] == order[3:7]

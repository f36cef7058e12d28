"""What training replays is what was live, bit for bit, however the log was cut."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.histories import ITEMS, TIGHT, cut, logs, unhurried

from palate.arrays import Rows
from palate.catalog.columns import ItemColumns
from palate.catalog.sqlite import SqliteItems, SqliteUsers
from palate.catalog.user import user_key
from palate.clock import FixedClock
from palate.errors import Unavailable
from palate.events.kinds import Kind
from palate.events.protocol import Logged
from palate.events.sqlite import SqliteLog
from palate.features.boards import Leaderboards
from palate.features.items import ItemStates
from palate.features.online.memory import MemoryOnline
from palate.features.online.protocol import OnlineStore, StateChange
from palate.features.users import UserTable
from palate.mapped.files import MappedArrays
from palate.models import covisit_table
from palate.models.covisit import Covisit
from palate.streaming.replay import Replay
from palate.streaming.state import LiveState, encode
from palate.streaming.worker import StreamWorker

MEMORY = Path(":memory:")

sizes = st.lists(st.integers(1, 7), min_size=1, max_size=5)


def rows_of(ids: Sequence[str]) -> Rows:
    return np.array([ITEMS.index(name) for name in ids], np.int32)


def whole(store: OnlineStore) -> StateChange:
    return StateChange(
        store.position(),
        dict(store.scan("users")),
        dict(store.scan("items")),
        dict(store.scan("covisit")),
    )


def replayed(parts: Sequence[Sequence[Logged]]) -> StateChange:
    replay = Replay(TIGHT, ItemColumns.in_memory())
    for part in parts:
        replay.fold(part, rows_of)
    return replay.record()


class ReplayedLog:
    """A log of given entries: positions with gaps, as the protocol allows."""

    def __init__(self, entries: Sequence[Logged]) -> None:
        self._entries = entries

    def read(self, after: int, limit: int) -> list[Logged]:
        return [entry for entry in self._entries if entry.position > after][:limit]

    def end(self) -> int:
        return self._entries[-1].position


class Dying(MemoryOnline):
    """Loses power before or after the nth commit."""

    def __init__(self, dies_at: Mapping[int, bool]) -> None:
        super().__init__()
        self._dies_at, self._commits = dies_at, 0

    def commit(self, change: StateChange) -> None:
        self._commits += 1
        stored_first = self._dies_at.get(self._commits)
        if stored_first is not False:
            super().commit(change)
        if stored_first is not None:
            raise Unavailable("the power is gone")


def worker_on(
    entries: Sequence[Logged], online: OnlineStore, shared: StreamWorker | None = None
) -> StreamWorker:
    items = SqliteItems(MEMORY) if shared is None else shared.items
    items.rows(ITEMS, create=True)
    return StreamWorker(
        TIGHT,
        items,
        SqliteUsers(MEMORY) if shared is None else shared.users,
        ReplayedLog(entries),
        online,
        ItemColumns.in_memory(),
        ItemStates.in_memory() if shared is None else shared.states,
        Leaderboards.in_memory(),
        Covisit.in_memory(TIGHT.covisit) if shared is None else shared.covisit,
        FixedClock(2_000.0),
    )


@unhurried
@given(logs(), sizes)
def test_any_batching_leads_to_the_same_bytes(entries: list[Logged], ways: list[int]) -> None:
    assert replayed([entries]) == replayed(cut(entries, ways))


@unhurried
@given(logs())
def test_the_stream_worker_stores_what_a_replay_leads_to(entries: list[Logged]) -> None:
    online = MemoryOnline()
    worker_on(entries, online).drain()
    assert whole(online) == replayed([entries])


@unhurried
@given(logs(), st.dictionaries(st.integers(1, 12), st.booleans(), max_size=4), st.booleans())
def test_a_worker_that_fails_around_a_commit_mends_it_or_is_followed_by_one_that_does(
    entries: list[Logged],
    dies_at: dict[int, bool],
    survives: bool,  # noqa: FBT001  drawn
) -> None:
    online = Dying(dies_at)
    worker = worker_on(entries, online)
    for _ in range(len(dies_at) + 1):
        try:
            worker.drain()
        except Unavailable:
            if not survives:
                worker = worker_on(entries, online, worker)
                worker.recover()
    replay = Replay(TIGHT, ItemColumns.in_memory())
    replay.fold(entries, rows_of)
    assert whole(online) == replay.record()
    every = np.arange(8, dtype=np.int32)
    assert worker.states.packed(every) == replay.states.packed(every)
    assert worker.states.newest == replay.states.newest
    assert worker.covisit.taken.tolist() == replay.covisit.taken.tolist()
    for row in range(8):
        assert worker.covisit.pack(row) == replay.covisit.pack(row)


@unhurried
@given(logs(), sizes)
def test_full_and_growing_tables_forget_the_same_pairs_however_cut(
    entries: list[Logged], ways: list[int]
) -> None:
    def tables(parts: Sequence[Sequence[Logged]]) -> list[bytes]:
        small = covisit_table.layout(cells=16, fewest=2, most=4)
        state = LiveState(
            TIGHT.streaming,
            ItemStates.in_memory(2),
            Covisit(MappedArrays.in_memory(small, 2), TIGHT.covisit),
            UserTable(),
        )
        for part in parts:
            state.apply(encode(part, rows_of)[0])
        return [state.covisit.pack(row) for row in range(state.covisit.capacity)]

    assert tables([entries]) == tables(cut(entries, ways))


@settings(unhurried, max_examples=25)
@given(logs(), st.data())
def test_an_event_sent_twice_changes_nothing(entries: list[Logged], data: st.DataObject) -> None:
    once, again = SqliteLog(MEMORY), SqliteLog(MEMORY)
    for at, entry in enumerate(entries):
        once.append([entry.event], 0.0)
        again.append([entry.event], 0.0)
        earlier = data.draw(st.integers(0, at))
        again.append([e.event for e in entries[earlier : at + 1]], 0.0)
    states = []
    for log in (once, again):
        replay = Replay(TIGHT, ItemColumns.in_memory())
        replay.read(log, rows_of)
        states.append(replace(replay.record(), position=0))
    assert states[0] == states[1]


@unhurried
@given(logs())
def test_whoever_was_forgotten_last_has_no_record(entries: list[Logged]) -> None:
    """What a session does that somebody claimed is theirs, so a deletion names it, too."""
    last: dict[str, Kind] = {}
    owners: dict[str, str] = {}
    for event in (entry.event for entry in entries):
        if event.user_id and event.session_id:
            owners[event.session_id] = event.user_id
        if event.kind is Kind.FORGET:
            owners.pop(event.session_id, None)
        whose = event.user_id or owners.get(event.session_id, "")
        last |= {whose: event.kind} if whose else {}
    replay = Replay(TIGHT, ItemColumns.in_memory())
    replay.fold(entries, rows_of)
    for name, kind in last.items():
        assert (user_key(name) in replay.record().users) == (kind is not Kind.FORGET)

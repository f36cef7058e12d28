from pathlib import Path

import numpy as np
import pytest

from palate.errors import CorruptStore
from palate.events.kinds import Signal
from palate.features.record import USER_DTYPE, UserState, engaged_rows
from palate.features.users import UserTable

E, C, N = int(Signal.ENGAGED), int(Signal.CLICKED), int(Signal.NEGATIVE)


def engaged(*events: tuple[int, int], limit: int = 99) -> list[int]:
    rows = np.array([row for row, _ in events], np.int32)
    signals = np.array([signal for _, signal in events], np.uint8)
    return engaged_rows(rows, signals, limit).tolist()


def test_nobody_has_an_empty_past() -> None:
    state = UserState.nobody(segment=3)
    assert (state.segment, state.total, len(state.history), len(state.seen)) == (3, 0, 0, 0)
    assert state.engaged(10).tolist() == []
    assert not state.counters.any()


def test_engaged_items_come_once_newest_first_up_to_the_limit() -> None:
    events = ((1, E), (2, E), (1, E), (3, E))
    assert engaged(*events) == [3, 1, 2]
    assert engaged(*events, limit=2) == [3, 1]
    assert engaged(*events, limit=0) == []


def test_the_newest_word_on_an_item_decides() -> None:
    assert engaged((1, E), (2, E), (1, N)) == [2]
    assert engaged((1, N), (2, E), (1, E)) == [1, 2]
    assert engaged((1, E | N)) == []
    assert engaged((1, E), (1, C)) == [1]


def test_a_state_can_be_read_but_not_changed() -> None:
    state = UserState.nobody()
    with pytest.raises(ValueError, match="read-only"):
        state.counters[0, 0] = 1.0


def test_a_record_cut_short_or_of_another_layout_is_refused_in_words() -> None:
    raw = np.zeros(1, USER_DTYPE).tobytes()
    for bad in (b"", raw[:-1], raw):
        with pytest.raises(CorruptStore, match="palate rebuild"):
            UserState.unpack(5, bad)
    with pytest.raises(CorruptStore, match="palate rebuild"):
        UserTable().load(5, raw)


def test_the_table_gives_each_user_one_slot_however_many_there_are() -> None:
    table = UserTable()
    keys = np.arange(1_000, dtype=np.uint64) % 500
    slots = table.slots(keys)
    assert len(table) == 500
    assert (slots[:500] == slots[500:]).all()
    assert len(set(slots.tolist())) == 500
    assert set(table) == set(range(500))
    assert table.pack(3) is None
    assert table.pack(10**6) is None


def test_room_for_users_who_are_not_there_yet_holds_no_memory() -> None:
    def own() -> float:
        told = Path("/proc/self/smaps_rollup").read_text("ascii")
        return int(told.partition("Anonymous:")[2].split()[0]) / 1024

    before, table = own(), UserTable()
    table.slots(np.arange(4_097, dtype=np.uint64))  # room for 8,192, 11 kB each
    assert own() - before < 70.0, "megabytes"

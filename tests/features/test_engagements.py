"""Few numbers with their columns, or all of them: what they say is the same."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.features.counters import tell

from palate.arrays import Floats
from palate.features.engagements import FEW, add, fade, numbers, spreads
from palate.features.items import ItemStates
from palate.mapped.rounding import rounded

ITEMS, COLUMNS = 5, 12
SLOTS = np.arange(ITEMS + 1, dtype=np.int32)

engagements = st.lists(
    st.tuples(st.integers(1, ITEMS), st.integers(0, COLUMNS - 1), st.floats(0.1, 9.0)), max_size=60
)


def empty() -> ItemStates:
    states = ItemStates.in_memory(8, segments=COLUMNS, regions=0)
    states.allot(np.arange(ITEMS, dtype=np.int32))
    return states


def engaged(states: ItemStates, slot: int, column: int, weight: float, time: float) -> None:
    """As the fold does it: room first."""
    row = np.flatnonzero(states.slots == slot).astype(np.int32)
    states.make_room(row, row)
    fade(states.engaged, slot, 0.75, time)
    add(states.engaged, slot, column, weight, time)


@settings(deadline=None)
@given(engagements)
def test_they_say_what_a_number_for_every_column_would(told: list[tuple[int, int, float]]) -> None:
    states, dense = empty(), np.zeros((ITEMS + 1, COLUMNS), np.float32)
    for time, (slot, column, weight) in enumerate(told):
        engaged(states, slot, column, weight, time)
        for each in np.flatnonzero(dense[slot]):
            dense[slot, each] = rounded(float(dense[slot, each]) * 0.75, time)
        dense[slot, column] = rounded(float(dense[slot, column]) + weight, time)
    held = states.engaged
    assert np.array_equal(spreads(held, SLOTS), dense)
    for column in range(COLUMNS):
        assert np.array_equal(numbers(held, SLOTS, column), dense[:, column])
    again = empty()
    for row in range(ITEMS):
        again.load(row, states.pack(row))
    assert np.array_equal(spreads(again.engaged, again.slots_of(np.arange(ITEMS))), dense[1:])
    widths = np.count_nonzero(dense, axis=1)
    assert ((held.seats[: ITEMS + 1] > 0) == (widths > FEW)).all()
    assert ((again.engaged.seats[1 : ITEMS + 1] < 0) == ((widths > 0) & (widths <= FEW))[1:]).all()


def test_an_item_that_nobody_took_takes_no_place_and_room_grows_with_those_that_were() -> None:
    states = ItemStates.in_memory(1_000, segments=COLUMNS, regions=0)
    for row in range(100):
        tell(states, row, segments=[1.0] * (row % 3))
    assert states.engaged.used.tolist() == [66, 0]
    assert (len(states.engaged.few), len(states.engaged.wide)) == (128, 64)
    assert not states.engaged.few[0].any()
    before = states.packed(np.arange(100, dtype=np.int32))
    for row in range(100):
        tell(states, row, segments=[2.0] * COLUMNS)
    assert states.engaged.used.tolist() == [66, 100]
    assert len(states.engaged.wide) == 128
    assert not states.engaged.few.any()
    assert not states.engaged.codes.any()
    for row, raw in before.items():
        states.load(row, raw)
    assert states.packed(np.arange(100, dtype=np.int32)) == before


def test_where_a_damaged_file_points_away_nothing_is_read() -> None:
    states = empty()
    tell(states, 0, segments=[3.0])
    held = states.engaged
    held.codes[1] = 60_000
    assert spreads(held, SLOTS[1:2]).tolist() == [[0.0] * COLUMNS]
    for seat in (-(2**31), 2**31 - 1, len(held.wide), -len(held.few)):
        held.seats[1] = seat
        told: Floats = spreads(held, SLOTS[1:2])
        assert told.tolist() == [[0.0] * COLUMNS]
        assert numbers(held, SLOTS[1:2], 0).tolist() == [0.0]

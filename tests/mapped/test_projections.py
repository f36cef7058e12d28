from pathlib import Path

import numpy as np

from palate.mapped.files import ROOM, MappedArrays
from palate.mapped.layouts import Column, Layout
from palate.mapped.projections import COUNTED, SLOTS_HELD, Counts

LAYOUT = Layout(
    {"slots": Column("i4"), "numbers": Column("f4", pool=COUNTED)},
    {"position": "i8", "dirty": "i8", SLOTS_HELD: "i8"},
)


def rows(*values: int) -> "np.typing.NDArray[np.int32]":
    return np.array(values, np.int32)


def test_rows_get_slots_when_they_are_first_counted_and_keep_them() -> None:
    counts = Counts(MappedArrays.in_memory(LAYOUT, 8))
    counts.allot(rows(2, 5))
    counts.allot(rows(1, 5, 7))
    assert counts.slots.tolist() == [0, 3, 1, 0, 0, 2, 0, 4]
    assert counts.allotted.tolist() == [1, 2, 5, 7]
    assert (counts.slot(5), counts.slot(0), counts.slot(0)) == (2, 5, 5)
    assert counts.slots_of(rows(7, 3, 8, 10**6)).tolist() == [4, 0, 0, 0]


def test_there_is_room_for_those_that_were_counted_not_for_all(tmp_path: Path) -> None:
    arrays = MappedArrays.open(tmp_path, LAYOUT, write=True, capacity=1 << 16)
    writer, reader = (
        Counts(arrays),
        Counts(MappedArrays.open(tmp_path, LAYOUT, write=False, capacity=8)),
    )
    writer.allot(np.arange(10, 10 + 2 * ROOM, dtype=np.int32))
    assert arrays.rooms[COUNTED] == 4 * ROOM
    arrays["numbers"][writer.slot(11)] = 3.0
    assert reader.refresh()
    assert reader._arrays["numbers"][reader.slots_of(rows(11))].tolist() == [3.0]
    with writer.anew():
        writer.allot(rows(3))
    assert writer.allotted.tolist() == [3]
    assert writer.slot(3) == 1


def test_where_a_damaged_file_points_away_nothing_is_read() -> None:
    arrays = MappedArrays.in_memory(LAYOUT, 8)
    arrays["slots"][:] = [-7, 10**9, ROOM, ROOM - 1, 0, 1, -(2**31), 2**31 - 1]
    assert Counts(arrays).slots_of(np.arange(8)).tolist() == [0, 0, 0, ROOM - 1, 0, 1, 0, 0]

import os
from dataclasses import replace
from errno import ENOSPC
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.errors import Unavailable
from palate.mapped.files import ROOM, MappedArrays
from palate.mapped.layouts import Column, Layout

LAYOUT = Layout(
    {
        "counts": Column("f8", (3,), -1.0),
        "row": Column("i4", (), -1),
        "fixed": Column("u1", (2,), 5, rows=4),
        "wide": Column("i2", cells=64, fewest=2, most=16),
    },
    {"position": "i8", "newest": "f8"},
)


def opened(directory: Path, *, write: bool) -> MappedArrays:
    return MappedArrays.open(directory, LAYOUT, write=write, capacity=8)


def test_new_places_hold_their_first_value() -> None:
    arrays = MappedArrays.in_memory(LAYOUT, 8)
    assert (arrays["counts"] == -1).all()
    assert (arrays["row"] == -1).all()
    assert (arrays["fixed"] == 5).all()
    assert arrays.scalar("position") == 0


def test_a_reader_that_came_first_sees_the_writer_after_refreshing(tmp_path: Path) -> None:
    reader = opened(tmp_path, write=False)
    assert not reader.refresh()
    writer = opened(tmp_path, write=True)
    writer["row"][3] = 7
    writer.stamp(position=9, newest=1.5)
    assert reader["row"][3] == -1
    assert reader.refresh()
    assert (reader["row"][3], reader.scalar("position"), reader.scalar("newest")) == (7, 9, 1.5)
    writer["row"][4] = 8
    assert reader["row"][4] == 8
    assert not reader.refresh()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    opened(tmp_path, write=True)
    reader = opened(tmp_path, write=False)
    with pytest.raises(ValueError, match="read-only"):
        reader["row"][0] = 1


def test_growing_keeps_what_was_there_and_readers_follow(tmp_path: Path) -> None:
    writer, reader = opened(tmp_path, write=True), opened(tmp_path, write=False)
    writer["row"][3] = 7
    writer["wide"][3] = np.arange(8)
    writer.stamp(position=9)
    writer.grow(16)
    assert writer["wide"].shape == (16, 4)
    assert reader["row"].shape == (8,)
    assert reader["row"][3] == 7
    assert reader.refresh()
    assert reader["row"].tolist() == [-1, -1, -1, 7] + [-1] * 12
    assert reader["wide"][3].tolist() == [0, 1, 2, 3]
    assert (reader["fixed"].shape, reader.scalar("position")) == ((4, 2), 9)
    assert len(list(tmp_path.iterdir())) == 1


def test_growing_to_less_changes_nothing() -> None:
    arrays = MappedArrays.in_memory(LAYOUT, 8)
    arrays.grow(4)
    assert arrays.capacity == 8


def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    opened(tmp_path, write=True)["row"][3] = 7
    assert opened(tmp_path, write=True)["row"][3] == 7
    assert opened(tmp_path, write=False)["row"][3] == 7


def test_files_of_another_layout_are_made_anew(tmp_path: Path) -> None:
    opened(tmp_path, write=True)["row"][3] = 7
    other = Layout({"row": Column("i8")}, {})
    assert LAYOUT.digest not in (other.digest, replace(LAYOUT, about="other folds").digest)
    assert MappedArrays.open(tmp_path, other, write=False, capacity=8)["row"].sum() == 0
    MappedArrays.open(tmp_path, other, write=True, capacity=8)["row"][3] = 1
    reader = opened(tmp_path, write=False)
    assert reader.generation == 0
    assert reader["row"][3] == -1


def test_a_file_cut_short_or_half_written_is_not_mapped(tmp_path: Path) -> None:
    opened(tmp_path, write=True)["row"][3] = 7
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-64])
    (tmp_path / ".000009.new").write_bytes(b"half")
    assert opened(tmp_path, write=False).generation == 0
    writer = opened(tmp_path, write=True)
    assert writer.generation == 2
    assert writer["row"][3] == -1


def test_a_writer_that_died_while_growing_leaves_one_generation_to_readers(tmp_path: Path) -> None:
    writer, reader = opened(tmp_path, write=True), opened(tmp_path, write=False)
    old = next(tmp_path.iterdir())
    kept = old.read_bytes()
    writer.grow(16)
    old.write_bytes(kept)
    again = opened(tmp_path, write=True)
    assert (again.generation, len(list(tmp_path.iterdir()))) == (2, 1)
    assert reader.refresh()
    assert reader.generation == 2


def test_a_generation_made_anew_is_seen_when_it_is_whole(tmp_path: Path) -> None:
    writer, reader = opened(tmp_path, write=True), opened(tmp_path, write=False)
    writer["counts"][:] = 3
    writer.stamp(position=9)
    with writer.anew(8):
        assert (writer["counts"] == -1).all()
        assert writer.scalar("position") == 0
        writer["row"][2] = 7
        writer.grow(16)
        writer["row"][12] = 8
        assert not reader.refresh()
        assert (reader["counts"] == 3).all()
    assert reader.refresh()
    assert (reader["row"][2], reader["row"][12]) == (7, 8)
    assert (reader["counts"] == -1).all()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_generation_that_fails_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    writer, reader = opened(tmp_path, write=True), opened(tmp_path, write=False)
    writer["row"][3] = 7
    with pytest.raises(IndexError), writer.anew(8):
        writer["row"][9] = 1
    assert writer["row"][3] == 7
    assert not reader.refresh()
    writer.grow(16)
    assert reader.refresh()
    assert reader["row"][3] == 7
    assert len(list(tmp_path.iterdir())) == 1


def test_anew_in_memory_begins_with_first_values() -> None:
    arrays = MappedArrays.in_memory(LAYOUT, 8)
    arrays["counts"][:] = 3
    with arrays.anew(8):
        arrays["row"][1] = 2
    assert (arrays["counts"] == -1).all()
    assert arrays["row"][1] == 2


def test_another_process_may_brand_the_newest_generation(tmp_path: Path) -> None:
    assert not MappedArrays.brand(tmp_path, LAYOUT, newest=4)
    writer = opened(tmp_path, write=True)
    assert MappedArrays.brand(tmp_path, LAYOUT, newest=4)
    assert writer.scalar("newest") == 4
    assert not MappedArrays.brand(tmp_path, replace(LAYOUT, about="other folds"), newest=5)
    assert writer.scalar("newest") == 4


def test_clearing_gives_every_place_its_first_value_again() -> None:
    arrays = MappedArrays.in_memory(LAYOUT, 8)
    arrays["counts"][:] = 3
    arrays.stamp(position=9)
    arrays.clear()
    assert (arrays["counts"] == -1).all()
    assert arrays.scalar("position") == 0


@given(st.integers(1, 100))
def test_columns_do_not_overlap(capacity: int) -> None:
    arrays = MappedArrays.in_memory(LAYOUT, capacity)
    for turn, name in enumerate(LAYOUT.columns):
        arrays[name][:] = turn
    for turn, name in enumerate(LAYOUT.columns):
        assert (arrays[name] == turn).all()
    assert arrays.header["capacity"] == capacity


def test_a_reader_lets_go_of_a_file_that_was_written_over(tmp_path: Path) -> None:
    writer, reader = opened(tmp_path, write=True), opened(tmp_path, write=False)
    writer["row"][:] = 7
    [file] = tmp_path.glob("*.map")
    with file.open("r+b") as held:
        held.write(b"noise!!!" * 8)
    assert not writer.whole
    assert reader.refresh()
    assert (reader["row"] == -1).all()
    assert not opened(tmp_path, write=False).generation
    fresh = opened(tmp_path, write=True)
    fresh["row"][:] = 8
    assert reader.refresh()
    assert (reader["row"] == 8).all()


@pytest.mark.parametrize("size", [0, 20, 100])
def test_a_file_that_was_cut_off_is_replaced(tmp_path: Path, size: int) -> None:
    opened(tmp_path, write=True)
    [file] = tmp_path.glob("*.map")
    os.truncate(file, size)
    assert not opened(tmp_path, write=False).generation
    writer = opened(tmp_path, write=True)
    writer["row"][3] = 7
    assert opened(tmp_path, write=False)["row"][3] == 7
    assert not file.exists()


def test_no_generation_is_begun_that_has_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(ENOSPC, "No space left on device")

    writer = opened(tmp_path, write=True)
    writer["row"][3] = 7
    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(Unavailable, match="has no room for"):
        writer.grow(10_000)
    assert (writer["row"][3], len(list(tmp_path.iterdir()))) == (7, 1)


POOLED = Layout(
    {
        "slots": Column("i4"),
        "some": Column("f4", (2,), -1.0, pool="some"),
        "deep": Column("i2", cells=64, fewest=2, most=16, pool="few"),
    },
    {"position": "i8"},
)


def test_pools_grow_by_themselves_and_readers_follow(tmp_path: Path) -> None:
    writer = MappedArrays.open(tmp_path, POOLED, write=True, capacity=8)
    reader = MappedArrays.open(tmp_path, POOLED, write=False, capacity=8)
    assert writer.rooms == {"some": ROOM, "few": ROOM}
    writer["slots"][3], writer["some"][5] = 5, 7.0
    writer.stamp(position=9)
    writer.grow(0, some=100)
    assert (writer.capacity, writer.rooms) == (8, {"some": 100, "few": ROOM})
    assert writer["some"].shape == (100, 2)
    assert (writer["some"][ROOM:] == -1).all()
    assert reader.rooms["some"] == ROOM
    assert reader.refresh()
    assert (reader.rooms["some"], reader["slots"][3], reader.scalar("position")) == (100, 5, 9)
    assert (reader["some"][5] == 7.0).all()
    generation = writer.generation
    writer.grow(8, some=99)
    assert writer.generation == generation


def test_a_pool_is_as_deep_as_if_all_rows_were_in_it() -> None:
    arrays = MappedArrays.in_memory(POOLED, 8)
    arrays["deep"][1] = np.arange(8)
    arrays.grow(0, few=200)
    assert arrays["deep"].shape == (200, 8)
    arrays.grow(16)
    assert arrays["deep"].shape == (200, 4)
    assert arrays["deep"][1].tolist() == [0, 1, 2, 3]


def test_a_generation_begun_anew_has_small_pools_again(tmp_path: Path) -> None:
    writer = MappedArrays.open(tmp_path, POOLED, write=True, capacity=8)
    writer.grow(0, some=100)
    with pytest.raises(IndexError), writer.anew(8):
        writer["slots"][writer.rooms["some"]] = 1
    assert writer.rooms["some"] == len(writer["some"]) == 100
    with writer.anew(8):
        writer.grow(0, few=70)
    assert writer.rooms == {"some": ROOM, "few": 70}
    again = MappedArrays.open(tmp_path, POOLED, write=False, capacity=8)
    assert again.rooms == writer.rooms


def test_a_layout_without_pools_is_told_as_before_there_were_any() -> None:
    assert LAYOUT.digest == "a9f43dc48dde"
    assert len({each.digest for each in (POOLED, replace(POOLED, about="x"), LAYOUT)}) == 3

from pathlib import Path

import numpy as np
import pytest
from tests.features.counters import tell

from palate.errors import CorruptStore
from palate.features.folds import DAY, ENGAGED_AT, LAST_AT
from palate.features.items import ItemStates


def at(time: float) -> list[float]:
    """Moments of an item that was engaged with then."""
    return [time * (n == ENGAGED_AT) for n in range(LAST_AT + 1)]


def test_counters_fade_with_their_half_life_and_never_grow_by_waiting() -> None:
    states = ItemStates.in_memory(8)
    tell(states, 1, times=at(10 * DAY), engaged_7d=4.0)
    rows = np.array([1, 0], np.int32)
    assert states.decayed("engaged_7d", 17 * DAY, rows).tolist() == [2.0, 0.0]
    assert states.decayed("engaged_7d", 3 * DAY, rows).tolist() == [4.0, 0.0]
    assert states.decayed("engaged_7d", 17 * DAY).shape == (8,)
    tell(states, 1, engaged_total=5.0)
    assert states.decayed("engaged_total", 1e9, rows).tolist() == [5.0, 0.0]


def test_segments_fade_together() -> None:
    states = ItemStates.in_memory(8, segments=3, regions=0)
    tell(states, 2, times=at(30 * DAY), segments=(1.0, 2.0, 4.0))
    rows = np.array([2], np.int32)
    assert states.by_segment(60 * DAY, rows).tolist() == [[0.5, 1.0, 2.0]]
    assert states.by_segment(0.0, rows).tolist() == [[1.0, 2.0, 4.0]]


def test_a_packed_item_reads_back_beyond_the_capacity_too() -> None:
    states, other = ItemStates.in_memory(8), ItemStates.in_memory(8)
    tell(states, 3, times=3.0, segments=[2.0] * 48, engaged_7d=7.0)
    other.load(20, states.pack(3))
    assert other.capacity == 32
    assert other.pack(20) == states.pack(3)
    assert other.pack(3) != states.pack(3)


def test_a_record_of_another_layout_is_refused() -> None:
    whole = ItemStates.in_memory(8).pack(3)
    for bad in (b"\0" * 80, bytes(len(whole)), whole[:-8]):
        with pytest.raises(CorruptStore, match="palate rebuild"):
            ItemStates.in_memory(8).load(3, bad)


def test_a_reader_follows_the_writer(tmp_path: Path) -> None:
    reader, writer = ItemStates.open(tmp_path), ItemStates.open(tmp_path, write=True)
    writer.grow(5_000)
    tell(writer, 4_999, times=at(5.0), engaged_7d=1.0)
    writer.stamp(newest=5.0, position=3, beat=6.0, dirty=1)
    assert reader.refresh()
    assert reader.decayed("engaged_7d", 5.0, np.array([4_999], np.int32)).tolist() == [1.0]
    assert (reader.newest, reader.position, reader.beat, reader.dirty) == (5.0, 3, 6.0, True)

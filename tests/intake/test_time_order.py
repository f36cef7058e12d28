import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.events.kinds import Event, Kind
from palate.intake.time_order import TimeOrder


def at(time: float, name: str) -> Event:
    return Event(event_id=name, kind=Kind.VIEW, time=time, user_id="u", item_id="i")


@pytest.mark.parametrize("in_memory", [2, 1000])
@given(times=st.lists(st.integers(-3, 3), max_size=12))
def test_events_come_out_by_time_then_line(in_memory: int, times: list[int]) -> None:
    order = TimeOrder(in_memory)
    for line, time in enumerate(times):
        order.add(line, at(time, str(line)), made_up=False)
    batches = list(order.batches(5))
    assert [len(batch) for batch in batches[:-1]] == [5] * (len(batches) - 1)
    told = [(event.time, int(event.event_id)) for batch in batches for event in batch]
    assert told == sorted((time, line) for line, time in enumerate(times))
    assert order.count == len(times)


@pytest.mark.parametrize("in_memory", [2, 1000])
def test_equal_rows_get_ids_of_their_own_and_the_same_ones_again(in_memory: int) -> None:
    order = TimeOrder(in_memory)
    for line, name in enumerate(["x", "y", "x", "own", "own", "x"]):
        order.add(line, at(1.0, name), made_up=name != "own")
    order.add(9, at(2.0, "z"), made_up=True)
    (batch,) = order.batches(10)
    assert [e.event_id for e in batch] == ["x", "y", "x-1", "own", "own", "x-2", "z"]


def test_all_times_move_by_one_constant() -> None:
    order = TimeOrder()
    order.add(1, at(5.0, "a"), made_up=True)
    order.add(2, at(3.0, "b"), made_up=False)
    (batch,) = order.batches(10, shift=100.0)
    assert [(e.event_id, e.time) for e in batch] == [("b", 103.0), ("a", 105.0)]
    assert (order.oldest, order.newest) == (3.0, 5.0)

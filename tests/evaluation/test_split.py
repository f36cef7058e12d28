"""Both protocols, against the words of their definition."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from palate.arrays import Rows
from palate.errors import BadInput
from palate.evaluation.split import Case, Split, split
from palate.events.batch import EventBatch
from palate.events.kinds import Event, Kind
from palate.events.protocol import Logged

ML_100K = Path(os.environ.get("PALATE_DATA", "/work/shared/data")) / "ml-100k/ml-100k.inter"


def event(user: str, item: int, time: float, **more: object) -> Event:
    given = {"kind": Kind.CLICK, "event_id": f"{user}-{item}-{time}", **more}
    return Event(user_id=user, item_id=f"i{item:04}" if item >= 0 else "", time=time, **given)  # type: ignore[arg-type]


def batch_of(events: Sequence[Event]) -> EventBatch:
    """Item "i0007" gets row 7."""
    logged = [Logged(at + 1, each.time, each) for at, each in enumerate(events)]
    return EventBatch.encode(logged, lambda ids: np.array([int(i[1:]) for i in ids], np.int32))


def only(made: Split, part: str) -> Case:
    (case,) = (case for case in made.cases if case.part == part)
    return case


def test_time_split_cuts_at_the_time_of_event_four_fifths() -> None:
    events = [event(f"u{at % 3}", at, float(at)) for at in range(20)]
    made = split(batch_of(events), "time")
    assert made.moment == 16.0
    assert_array_equal(made.train, np.arange(20) < 16)


def test_events_with_the_time_of_the_cut_are_all_in_the_future() -> None:
    times = [0.0, 1.0, 2.0, 7.0, 7.0]  # floor(0.8 * 5) = 4 is the second of two with time 7
    events = [event("u", at, time) for at, time in enumerate(times)]
    made = split(batch_of(events), "time")
    assert made.train.tolist() == [True, True, True, False, False]
    assert_array_equal(only(made, "warm").relevant, [3, 4])


def test_a_late_event_belongs_where_it_happened() -> None:
    events = [event("u", at, float(at)) for at in range(10)] + [event("u", 50, 0.5)]
    made = split(batch_of(events), "time")
    assert made.train[10]
    assert 50 in only(made, "warm").taken


def test_warm_users_are_asked_once_and_everything_later_is_relevant_in_its_order() -> None:
    events = [event("u", at, float(at)) for at in range(8)]
    events += [event("u", 9, 8.0), event("u", 8, 9.0), event("u", 9, 9.5)]
    case = only(split(batch_of(events), "time"), "warm")
    assert_array_equal(case.relevant, [9, 8])
    assert_array_equal(case.taken, np.arange(8))
    assert case.now == 8.0
    assert not len(case.extra)


def test_cold_users_have_their_first_five_events_as_history_and_the_rest_is_relevant() -> None:
    events = [event("u", at, float(at)) for at in range(40)]
    events += [event("new", 60 + at, 50.0 + at) for at in range(7)]
    case = only(split(batch_of(events), "time"), "cold")
    assert_array_equal(case.taken, np.arange(60, 65))
    assert_array_equal(case.extra, np.arange(40, 45))
    assert_array_equal(case.relevant, [65, 66])


def test_a_cold_user_with_only_five_events_is_not_asked() -> None:
    events = [event("u", at, float(at)) for at in range(40)]
    events += [event("new", 60 + at, 50.0 + at) for at in range(5)]
    assert all(case.part == "warm" for case in split(batch_of(events), "time").cases)


def test_impressions_and_dislikes_are_neither_counted_nor_judged() -> None:
    events = [event("u", at, float(at)) for at in range(10)]
    noise = [event("u", 30, 8.5, kind=Kind.IMPRESSION), event("u", 31, 8.6, kind=Kind.DISLIKE)]
    quiet, loud = split(batch_of(events), "time"), split(batch_of(events + noise), "time")
    assert loud.moment == quiet.moment
    assert_array_equal(only(loud, "warm").relevant, only(quiet, "warm").relevant)


def test_profiles_are_known_from_the_start_whenever_they_were_imported() -> None:
    events = [event("u", at, float(at)) for at in range(10)]
    events.append(event("u", -1, 1e9, kind=Kind.PROFILE, value=3.0))
    assert split(batch_of(events), "time").train[10]


def test_a_session_that_became_a_users_is_that_user() -> None:
    before = [event("", at, float(at), session_id="s", event_id=f"s{at}") for at in range(8)]
    after = [event("u", 8 + at, 8.0 + at, session_id="s") for at in range(2)]
    (case,) = split(batch_of(before + after), "time").cases
    assert case.part == "warm"
    assert_array_equal(case.taken, np.arange(8))


def test_leave_one_out_hides_the_last_two_and_shows_the_validation_event_to_the_user() -> None:
    events = [event("u", at, float(at)) for at in range(5)]
    events += [event("v", at, at + 0.5) for at in (7, 8, 9)]
    made = split(batch_of(events), "loo")
    u, v = sorted(made.cases, key=lambda case: -len(case.taken))
    assert made.train.tolist() == [True, True, True, False, False, True, False, False]
    assert (u.relevant.tolist(), u.taken.tolist(), u.extra.tolist()) == ([4], [0, 1, 2, 3], [3])
    assert (v.relevant.tolist(), v.now) == ([9], 9.5)


def test_leave_one_out_hides_the_impression_that_came_with_a_hidden_event() -> None:
    events = [event("u", at, float(at)) for at in range(5)]
    events += [event("u", 4, 3.9, kind=Kind.IMPRESSION), event("u", 1, 0.9, kind=Kind.IMPRESSION)]
    assert split(batch_of(events), "loo").train[5:].tolist() == [False, True]


def test_users_with_fewer_than_three_events_only_train_under_leave_one_out() -> None:
    events = [event("u", at, float(at)) for at in range(3)] + [event("v", 1, 1.0)]
    made = split(batch_of(events), "loo")
    assert len(made.cases) == 1
    assert made.train[3]


def test_a_click_and_the_view_that_follows_it_are_one_event() -> None:
    events = [event("u", at, float(at)) for at in range(5)]
    views = [event("u", at, at + 0.5, kind=Kind.VIEW) for at in range(5)]
    made = split(batch_of(events + views), "loo")
    (case,) = made.cases
    assert case.relevant.tolist() == [4]
    assert case.taken.tolist() == [0, 1, 2, 3]
    assert made.train.tolist() == [True, True, True, False, False] * 2
    assert case.extra.tolist() == [3, 8]


def test_a_cold_user_knows_what_they_did_beside_their_first_five_items() -> None:
    events = [event("u", at, float(at)) for at in range(40)]
    events += [event("new", 60 + at, 50.0 + at) for at in range(7)]
    events += [event("new", 61, 51.5, kind=Kind.LIKE), event("new", 65, 55.5, kind=Kind.LIKE)]
    case = only(split(batch_of(events), "time"), "cold")
    assert case.extra.tolist() == [*range(40, 45), 47]
    assert case.relevant.tolist() == [65, 66]


def test_what_the_user_knows_already_is_not_relevant_again() -> None:
    events = [event("u", at, float(at)) for at in range(8)]
    events += [event("u", 3, 8.0), event("u", 8, 9.0)]
    case = only(split(batch_of(events), "time"), "warm")
    assert_array_equal(case.relevant, [7, 8])


@pytest.mark.parametrize("protocol", ["time", "loo"])
def test_an_empty_log_is_refused_in_words(protocol: str) -> None:
    with pytest.raises(BadInput, match=f"too few events for the `{protocol}` split"):
        split(batch_of([]), protocol)  # type: ignore[arg-type]


def movielens() -> tuple[Rows, Rows, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    table = np.loadtxt(ML_100K, skiprows=1, usecols=(0, 1, 3))
    return table[:, 0].astype(np.int32), table[:, 1].astype(np.int32), table[:, 2]


@pytest.mark.skipif(not ML_100K.exists(), reason=f"no MovieLens-100K at {ML_100K}")
@pytest.mark.parametrize("shift", [0.0, 900_000_000.0])
def test_movielens_100k_is_cut_as_published_also_when_its_times_are_shifted(shift: float) -> None:
    user, item, time = movielens()
    count = len(user)
    batch = EventBatch(
        position=np.arange(1, count + 1),
        kind=np.full(count, Kind.RATING, np.uint8),
        signal=np.full(count, 4, np.uint8),
        user=user.astype(np.uint64),
        session=np.zeros(count, np.uint64),
        item=item,
        time=time + shift,
        value=np.full(count, np.nan, np.float32),
        place=np.zeros(count, np.int16),
        about=np.zeros(count, np.int64),
    )
    made = split(batch, "time")
    parts = [case.part for case in made.cases]
    assert made.moment == 889_237_269 + shift
    assert (parts.count("warm"), parts.count("cold")) == (109, 192)
    assert made.train.sum() == (time < 889_237_269).sum()

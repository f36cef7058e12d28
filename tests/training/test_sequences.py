"""Sequences, windows and batches: nothing is lost, nothing looks ahead."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from palate.arrays import Rows
from palate.catalog.user import session_key, user_key
from palate.events.batch import EventBatch
from palate.events.kinds import Event, Kind
from palate.events.protocol import Logged
from palate.models.two_tower import span_buckets
from palate.settings import CovisitSettings
from palate.training.sequences import (
    Sequences,
    Window,
    batch_of,
    batches,
    cut_windows,
    room_for,
)
from palate.training.validation import counted_marks, held_out


def dice(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def rows_of(ids: list[str]) -> Rows:
    return np.array([int(i) for i in ids], np.int32)


def log_of(*events: tuple[str, str, Kind]) -> EventBatch:
    """Events (who, item, kind); "a+s" is user a naming session s, "-s" the session alone."""
    logged = []
    for n, (who, item, kind) in enumerate(events):
        user, _, session = who.partition("+") if who[0] != "-" else ("", "", who[1:])
        event = Event(
            event_id=str(n),
            kind=kind,
            time=float(n),
            user_id=user,
            session_id=session,
            item_id=item,
        )
        logged.append(Logged(n + 1, 0.0, event))
    return EventBatch.encode(logged, rows_of)  # type: ignore[arg-type]


def watched(*pairs: tuple[str, int]) -> Sequences:
    return Sequences.of(log_of(*((who, str(item), Kind.VIEW) for who, item in pairs)))


def test_each_user_has_a_sequence_in_log_order() -> None:
    made = watched(("a", 1), ("b", 7), ("a", 2), ("b", 8), ("a", 3))
    by_key = {
        int(key): made.items[made.starts[i] : made.starts[i + 1]].tolist()
        for i, key in enumerate(made.keys)
    }
    assert by_key == {user_key("a"): [1, 2, 3], user_key("b"): [7, 8]}


def test_only_the_first_engagement_with_an_item_is_predicted() -> None:
    made = Sequences.of(
        log_of(
            ("a", "1", Kind.CLICK),
            ("a", "1", Kind.LIKE),
            ("a", "2", Kind.HIDE),
            ("a", "3", Kind.VIEW),
        )
    )
    assert made.items.tolist() == [1, 1, 2, 3]
    assert made.wanted.tolist() == [True, False, False, True]
    assert made.outcomes.tolist() == [0, 1, 2, 0]


def test_nobodys_first_event_is_a_step() -> None:
    made = watched(("a", 1), ("b", 7), ("a", 2), ("b", 8), ("a", 3), ("c", 1), ("a", 1))
    assert [made.steps(until) for until in (0, 3, 4, 8)] == [0, 0, 1, 3]
    assert watched(*((f"u{n}", n % 7) for n in range(30))).steps(99) == 0


def test_impressions_and_searches_are_no_part_of_a_sequence() -> None:
    made = Sequences.of(
        log_of(("a", "1", Kind.IMPRESSION), ("a", "", Kind.SEARCH), ("a", "2", Kind.VIEW))
    )
    assert made.items.tolist() == [2]


def test_what_a_session_did_before_it_became_a_user_is_the_users() -> None:
    made = Sequences.of(
        log_of(
            ("-s", "1", Kind.VIEW),
            ("-t", "9", Kind.VIEW),
            ("a+s", "2", Kind.VIEW),
        )
    )
    assert set(made.keys.tolist()) == {user_key("a"), session_key("t")}
    at = made.keys.tolist().index(user_key("a"))
    assert made.items[made.starts[at] : made.starts[at + 1]].tolist() == [1, 2]


def test_what_a_session_does_later_is_whose_it_is_by_then() -> None:
    told = (("-s", "1"), ("a+s", "2"), ("-s", "3"), ("b+s", "4"), ("-s", "5"), ("-t", "6"))
    made = Sequences.of(log_of(*((who, item, Kind.VIEW) for who, item in told)))
    items = {
        key: made.items[made.starts[at] : made.starts[at + 1]].tolist()
        for at, key in enumerate(made.keys.tolist())
    }
    assert items == {user_key("a"): [1, 2, 3], user_key("b"): [4, 5], session_key("t"): [6]}


def test_a_forgotten_user_is_not_learnt_from() -> None:
    made = Sequences.of(
        log_of(
            ("a", "1", Kind.VIEW),
            ("c", "", Kind.FORGET),
            ("a", "", Kind.FORGET),
            ("b", "2", Kind.VIEW),
            ("a", "3", Kind.VIEW),
            ("a", "", Kind.FORGET),
            ("a", "4", Kind.VIEW),
        )
    )
    assert sorted(made.items.tolist()) == [2, 4]


lengths = st.lists(st.integers(1, 30), min_size=1, max_size=6)


@given(lengths=lengths, history=st.integers(2, 9), seed=st.integers(0, 99))
def test_every_event_but_a_users_first_is_predicted_exactly_once(
    lengths: list[int], history: int, seed: int
) -> None:
    made = watched(*((f"u{n}", i) for n, size in enumerate(lengths) for i in range(size)))
    windows = cut_windows(made, history, 10_000, dice(seed))
    predicted = sorted(e for start, end in windows for e in range(start + 1, end + 1))
    firsts = set(made.starts[:-1].tolist())
    assert predicted == [e for e in range(len(made.items)) if e not in firsts]
    assert all(end - start <= history for start, end in windows)
    users = np.searchsorted(made.starts, [w.start for w in windows], side="right")
    ends = np.searchsorted(made.starts, [w.end for w in windows], side="right")
    assert (users == ends).all()


def test_events_after_the_cut_are_not_predicted() -> None:
    made = watched(*(("a", i) for i in range(10)))
    windows = cut_windows(made, 4, 7, dice())
    assert max(w.end for w in windows) == 5


@given(seed=st.integers(0, 20), tokens=st.integers(1, 60))
def test_batches_hold_every_window_once(seed: int, tokens: int) -> None:
    made = watched(*((f"u{n}", i) for n in range(5) for i in range(3 + 4 * n)))
    windows = cut_windows(made, 5, 10_000, dice(seed))
    dealt = [w for part in batches(windows, tokens, dice(seed)) for w in part]
    assert sorted(dealt) == sorted(windows)


@given(steps=st.integers(1, 5_000))
def test_room_is_an_eighth_too_wide_at_most_and_of_few_widths(steps: int) -> None:
    assert steps <= room_for(steps) <= steps * 1.125
    assert len({room_for(each) for each in range(1, 201)}) < 50


def test_a_batch_lines_up_inputs_targets_and_time() -> None:
    made = watched(("a", 5), ("a", 6), ("a", 7), ("b", 1), ("b", 2))
    windows = sorted(cut_windows(made, 9, 100, dice()), key=lambda w: w.start - w.end)
    steps = batch_of(made, windows, made.next_ones(0, 100))
    assert steps.items.tolist() == [[5, 6], [1, 0]]
    assert steps.targets.tolist() == [[6, 7], [2, 0]]
    assert steps.wanted.tolist() == [[True, True], [True, False]]
    assert steps.spans[0].tolist() == [[1, 0], [1, 1]]


@given(
    times=st.lists(st.floats(0.0, 4e9), min_size=2, max_size=9),
    width=st.integers(1, 8),
)
def test_spans_are_those_that_serving_computes(times: list[float], width: int) -> None:
    made = replace(watched(*(("a", i) for i in range(len(times)))), times=np.array(times))
    last = min(width, len(times) - 1)
    steps = batch_of(made, [Window(0, last)], made.next_ones(0, 100))
    expected = span_buckets(np.array(times[:last]), times[last])
    np.testing.assert_array_equal(steps.spans[0], np.tril(expected))


@given(
    lengths=lengths,
    horizon=st.integers(1, 9),
    until=st.integers(1, 60),
    seed=st.integers(0, 99),
)
def test_a_step_predicts_one_of_the_users_next_wanted_events(
    lengths: list[int], horizon: int, until: int, seed: int
) -> None:
    made = watched(*((f"u{n}", i % 7) for n, size in enumerate(lengths) for i in range(size)))
    aims = made.any_of_next(horizon, until, dice(seed))
    users = np.repeat(np.arange(len(made)), np.diff(made.starts))
    for at, aim in enumerate(aims.tolist()):
        left = [
            e
            for e in range(at, len(users))
            if users[e] == users[at] and made.wanted[e] and made.positions[e] < until
        ]
        assert aim in left[:horizon] if left else aim == -1


def test_asked_for_the_next_one_it_learns_the_next_one() -> None:
    made = watched(*(("a", i) for i in range(9)))
    assert made.any_of_next(1, 100, dice()).tolist() == made.next_ones(0, 100).tolist()


def test_held_out_windows_end_with_the_late_events_and_want_only_those() -> None:
    made = watched(*(("a", i) for i in range(10)), ("b", 3))
    (late,) = held_out(made, 4, 9, 11)
    assert late.steps.items.tolist() == [[5, 6, 7, 8]]
    assert late.steps.targets[late.steps.wanted].tolist() == [8, 9]
    assert [rows.tolist() for rows in late.relevant] == [[8], [9]]
    assert made.items[late.places].tolist() == [8, 9]
    (late,) = held_out(made, 4, 8, 11, horizon=2)
    assert [rows.tolist() for rows in late.relevant] == [[7, 8], [8, 9], [9]]


def test_counting_is_asked_for_what_it_would_serve_not_for_what_was_turned_down() -> None:
    told = [(f"{first}{n}", item) for first, item in (("a", "0"), ("b", "1")) for n in range(3)]
    taught = [
        event
        for who, item in told
        for event in ((who, item, Kind.VIEW), (who, str(int(item) + 2), Kind.VIEW))
    ]
    asked = [("c", "0", Kind.VIEW), ("c", "1", Kind.DISLIKE), ("c", "2", Kind.VIEW)]
    made = Sequences.of(log_of(*taught, *asked))
    since = len(taught) + 2
    marks = counted_marks(
        made, np.ones(4, np.int64), since, CovisitSettings(), held_out(made, 9, since, since + 9)
    )
    assert marks["covisit"].tolist() == [1.0]

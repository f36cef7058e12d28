"""The compiled fold against the same definitions written slowly."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from palate.arrays import Rows
from palate.catalog.columns import ItemColumns
from palate.catalog.user import session_key, user_key
from palate.events.kinds import Event, Kind, Shown, Signal, signals_of
from palate.events.protocol import Logged
from palate.features.counting import REGION_AT
from palate.features.folds import (
    ENGAGED_AT,
    FIRST_AT,
    ITEM_FOLDS,
    SEGMENT_HALF_LIFE,
    USER_FOLDS,
    Fold,
    layout_of,
)
from palate.features.record import HISTORY, SHOWN, UserState, owner_of
from palate.settings import Settings
from palate.settings_loop import StreamingSettings
from palate.streaming.replay import Replay

KINDS = [kind for kind in Kind if kind < Kind.PROFILE]
LIMIT = 40


def row_of(name: str) -> int:
    return int(name[1:])


def replay_of(events: Sequence[Event], **streaming: float) -> Replay:
    settings = Settings(streaming=msgspec.convert(streaming, StreamingSettings))
    replay = Replay(settings, ItemColumns.in_memory())
    entries = [Logged(n + 1, 0.0, event) for n, event in enumerate(events)]
    replay.fold(entries, lambda ids: np.array([row_of(name) for name in ids], np.int32))
    return replay


def rows_of(*ids: str) -> Rows:
    return np.array([row_of(name) for name in ids], np.int32)


def act(kind: Kind, item: str, time: float, user: str = "u", **more: object) -> Event:
    return Event(event_id=f"{time}", kind=kind, time=time, user_id=user, item_id=item, **more)


def random_history(seed: int, size: int) -> list[Event]:
    dice = np.random.Generator(np.random.PCG64(seed))
    events = []
    for _ in range(size):
        kind = KINDS[dice.integers(len(KINDS))]
        value = float(dice.integers(0, 6)) if dice.random() < 0.5 else None
        time = 1e9 + float(dice.integers(0, 20 * 86_400))
        events.append(act(kind, f"i{dice.integers(60)}", time, value=value))
    return events


def concerns(fold: Fold, event: Event) -> bool:
    signals = signals_of(event.kind, event.value)
    if not signals & fold.of or (fold.kinds and event.kind not in fold.kinds):
        return False
    return event.value is not None or not fold.by_value


def counted(fold: Fold, events: Sequence[Event]) -> float:
    """The definition: weights, halved by their age at the newest of the events concerned."""
    mine = [event for event in events if concerns(fold, event)]
    if not mine:
        return 0.0
    times = [event.time for event in mine]
    if fold.grows != "decay":
        return min(times) if fold.grows == "first" else max(times)
    weights = [event.value if fold.by_value else 1.0 for event in mine]
    ages = max(times) - np.array(times)
    return float((np.array(weights) * 2.0 ** (-ages / fold.half_life)).sum())


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return random_history(3, 700)


@pytest.fixture(scope="module")
def state(events: list[Event]) -> UserState:
    return replay_of(events, seen_limit=LIMIT).user(user_key("u"))


def test_every_user_counter_follows_its_declaration(events: list[Event], state: UserState) -> None:
    wanted = [counted(fold, events) for fold in USER_FOLDS]
    np.testing.assert_allclose(state.counters[:, 0], wanted, rtol=1e-9)


def test_every_item_counter_follows_its_declaration(events: list[Event]) -> None:
    replay = replay_of(events)
    for row in range(60):
        mine = [event for event in events if row_of(event.item_id) == row]
        wanted = [counted(fold, mine) for fold in ITEM_FOLDS]
        slot = replay.states.slots[row]
        held = (replay.states.counts[slot], replay.states.times[slot, FIRST_AT:])
        np.testing.assert_allclose(np.concatenate(held), wanted, rtol=1e-6)


def test_the_history_is_the_newest_acts_by_their_own_time(
    events: list[Event], state: UserState
) -> None:
    acts = [e for e in events if signals_of(e.kind, e.value) & ~Signal.SHOWN]
    newest = sorted(acts, key=lambda event: event.time)[-HISTORY:]
    assert len(newest) == HISTORY
    assert state.history.tolist() == [row_of(event.item_id) for event in newest]
    assert state.times.tolist() == [event.time for event in newest]
    assert state.kinds.tolist() == [int(event.kind) for event in newest]
    assert state.signals.tolist() == [int(signals_of(e.kind, e.value)) for e in newest]
    values = np.array([np.nan if e.value is None else e.value for e in newest], np.float32)
    np.testing.assert_array_equal(state.values, values)


def test_what_was_shown_is_the_newest_impressions_by_their_own_time() -> None:
    dice = np.random.Generator(np.random.PCG64(5))
    times = 1e9 + dice.integers(0, 1_000, 3 * SHOWN)
    events = [
        act(
            Kind.IMPRESSION,
            "",
            float(time),
            items=(
                Shown(item_id=f"i{n % 50}", position=1),
                Shown(item_id=f"i{n % 7}", position=2),
            ),
        )
        for n, time in enumerate(times)
    ]
    state = replay_of(events).user(user_key("u"))
    entries = [(e.time, row_of(shown.item_id)) for e in events for shown in e.items]
    newest = sorted(entries, key=lambda entry: entry[0])[-SHOWN:]
    assert state.shown.tolist() == [row for _, row in newest]
    assert state.shown_times.tolist() == [time for time, _ in newest]
    assert (len(state.seen), len(state.history), state.total) == (0, 0, 0)


def settled(before: int, signals: int, acts: Sequence[Event], row: int) -> int:
    """All signals; turned down where the newest word that is remembered says so."""
    if not before or not (before | signals) & Signal.NEGATIVE:
        return before | signals
    said = [(e.kind, signals_of(e.kind, e.value)) for e in acts if row_of(e.item_id) == row]
    judged = Signal.POSITIVE | Signal.NEGATIVE
    words = [int(each) for kind, each in said if each & judged or kind is Kind.RATING]
    word = words[-1] if words else before if before & judged else signals
    return (before | signals) & ~int(Signal.NEGATIVE) | word & int(Signal.NEGATIVE)


LIKED, LOW = (Kind.LIKE, None), (Kind.RATING, 1.0)


@pytest.mark.parametrize(
    ("acts", "stays"),
    [
        ([LOW, (Kind.RATING, 5.0)], ""),
        ([LOW, (Kind.RATING, 3.0)], ""),
        ([(Kind.DISLIKE, None), LIKED], ""),
        ([(Kind.HIDE, None), (Kind.SAVE, None)], ""),
        ([(Kind.SKIP, None), (Kind.VIEW, 0.9)], ""),
        ([(Kind.SKIP, None), (Kind.VIEW, 0.1)], "down"),
        ([(Kind.DISLIKE, None), (Kind.CLICK, None)], "down"),
        ([LIKED, (Kind.DISLIKE, None)], "down"),
        ([(Kind.DISLIKE, None), LIKED, (Kind.HIDE, None)], "down"),
    ],
)
def test_the_newest_word_on_an_item_says_whether_it_is_turned_down(
    acts: Sequence[tuple[Kind, float | None]], stays: str
) -> None:
    said = [act(kind, "i1", 10.0 * n, value=value) for n, (kind, value) in enumerate(acts)]
    late = act(Kind.LIKE, "i1", -5.0)
    for told in (said, said[::-1], [*said, late]):
        state = replay_of(told).user(user_key("u"))
        assert bool(state.seen_signals[0] & Signal.NEGATIVE) is bool(stays), [e.kind for e in told]


def test_words_that_are_forgotten_stand_against_late_ones() -> None:
    taken_back = [act(Kind.DISLIKE, "i1", 10.0), act(Kind.LIKE, "i1", 20.0)]
    later = [act(Kind.CLICK, f"i{n + 2}", 100.0 + n) for n in range(HISTORY)]
    state = replay_of([*taken_back, *later, act(Kind.DISLIKE, "i1", 15.0)]).user(user_key("u"))
    assert not state.seen_signals[0] & Signal.NEGATIVE
    state = replay_of([*taken_back, *later, act(Kind.DISLIKE, "i1", 999.0)]).user(user_key("u"))
    assert state.seen_signals[0] & Signal.NEGATIVE


def test_the_seen_are_distinct_in_order_of_sight_with_all_their_signals(
    events: list[Event], state: UserState
) -> None:
    seen: OrderedDict[int, int] = OrderedDict()
    acts = list[Event]()
    for event in events:
        signals = int(signals_of(event.kind, event.value))
        if signals & ~Signal.SHOWN:
            row = row_of(event.item_id)
            acts = sorted([*acts, event], key=lambda each: each.time)[-HISTORY:]
            seen[row] = settled(seen.get(row, 0), signals, acts, row)
            if len(seen) > LIMIT:
                seen.popitem(last=False)
    assert state.seen.tolist() == list(seen)
    assert state.seen_signals.tolist() == list(seen.values())


def test_acts_within_the_gap_are_one_visit_also_when_they_come_late() -> None:
    minutes = [0, 10, 39, 100, 95, 101, 5]
    events = [act(Kind.CLICK, "i1", 60.0 * m) for m in minutes]
    state = replay_of(events, session_gap_minutes=30).user(user_key("u"))
    assert (state.sessions, state.session_events, state.total) == (2, 3, 7)
    assert (state.session_start, state.first_time, state.last_time) == (95 * 60, 0, 101 * 60)


def test_engagements_are_counted_for_the_segment_of_the_moment() -> None:
    day = 86_400.0
    events = [
        act(Kind.PROFILE, "", 0.0, value=3.0),
        act(Kind.LIKE, "i1", 10 * day),
        act(Kind.PROFILE, "", 0.0, value=5.0),
        act(Kind.LIKE, "i1", 40 * day),
        act(Kind.LIKE, "i1", 10 * day),
        act(Kind.LIKE, "i1", 40 * day, user="stranger"),
        act(Kind.PROFILE, "", 0.0),
    ]
    replay = replay_of(events)
    [item] = replay.states.records(np.array([1]))
    segments = item["segments"]
    assert 30 * day == SEGMENT_HALF_LIFE
    assert [segments[0], segments[3], segments[5]] == [1.0, 0.5, 1.5]
    assert item["times"][ENGAGED_AT] == 40 * day
    assert replay.user(user_key("u")).segment == 0


def test_people_from_everywhere_count_in_one_batch_as_one_by_one() -> None:
    """Each of 100 items is taken by up to 40 people; there is room from the first batch on."""
    events = []
    for n in range(40):
        home = float(n % 16 + REGION_AT * (16 + n % 32))
        events.append(act(Kind.PROFILE, "", 0.0, user=f"u{n}", value=home))
        some = range(0, 100, n % 7 + 1)
        events += [act(Kind.LIKE, f"i{item}", float(n), user=f"u{n}") for item in some]
    at_once, one_by_one = replay_of(events), replay_of([])
    for n, event in enumerate(events):
        one_by_one.fold([Logged(n + 1, 0.0, event)], lambda ids: rows_of(*ids))
    assert at_once.record() == one_by_one.record()
    engaged = at_once.states.engaged
    assert engaged.used[1] == 100 < len(engaged.wide)


def test_a_segment_beyond_the_settings_counts_as_unknown() -> None:
    events = [act(Kind.PROFILE, "", 0.0, value=999.0), act(Kind.LIKE, "i1", 1.0)]
    [item] = replay_of(events).states.records(np.array([1]))
    assert item["segments"][0] == 1.0


def test_a_session_that_turns_out_to_be_a_user_becomes_the_users_own() -> None:
    def anonymous(kind: Kind, item: str, time: float) -> Event:
        return Event(event_id="", kind=kind, time=time, session_id="s", item_id=item)

    before = [
        act(Kind.PROFILE, "", 0.0, value=2.0),
        act(Kind.LIKE, "i1", 100.0),
        anonymous(Kind.CLICK, "i2", 50.0),
        anonymous(Kind.DISLIKE, "i1", 150.0),
        anonymous(Kind.IMPRESSION, "i4", 140.0),
    ]
    joined = act(Kind.LIKE, "i3", 200.0, session_id="s")
    replay = replay_of([*before, joined])
    mine = replay.user(user_key("u"))
    as_one = [msgspec.structs.replace(e, user_id="u", session_id="") for e in [*before, joined]]
    other = replay_of(as_one).user(user_key("u"))
    assert mine.history.tolist() == other.history.tolist() == [2, 1, 1, 3]
    assert mine.shown.tolist() == other.shown.tolist() == [4]
    assert dict(zip(mine.seen, mine.seen_signals, strict=True)) == dict(
        zip(other.seen, other.seen_signals, strict=True)
    )
    np.testing.assert_allclose(mine.counters, other.counters)
    assert (mine.segment, mine.total, mine.first_time, mine.last_time) == (2, 4, 50.0, 200.0)
    assert replay.user(session_key("s")).total == 0
    assert owner_of(replay.record().users[session_key("s")]) == user_key("u")
    again = replay_of([*before, joined])
    np.testing.assert_array_equal(replay.states.counts, again.states.counts)


def test_a_forgotten_user_is_gone_and_may_come_back_as_new() -> None:
    events = [act(Kind.LIKE, "i1", 1.0), act(Kind.FORGET, "", 2.0)]
    gone = replay_of(events)
    assert gone.record().users == {}
    assert gone.states.decayed("positive_total", 3.0)[1] == 1.0
    back = replay_of([*events, act(Kind.LIKE, "i2", 3.0)]).user(user_key("u"))
    assert (back.history.tolist(), back.seen.tolist(), back.total) == ([2], [2], 1)


def test_an_item_is_taken_in_for_the_first_time_once_and_after_what_came_before_it() -> None:
    events = [
        act(Kind.CLICK, "i1", 10.0),
        act(Kind.LIKE, "i1", 11.0),
        act(Kind.DISLIKE, "i2", 12.0),
        act(Kind.CLICK, "i3", 13.0),
        act(Kind.CLICK, "i4", 12.5),
    ]
    covisit = replay_of(events).covisit
    assert covisit.table.counts[covisit.slots[:5]].tolist() == [0, 1, 0, 1, 1]
    assert covisit.neighbours(1, 9)[0].tolist() == [3, 4]
    assert covisit.neighbours(3, 9)[0].tolist() == [1]


def test_a_layout_tells_any_change_of_the_folds() -> None:
    changed = (replace(USER_FOLDS[0], half_life=7.0), *USER_FOLDS[1:])
    assert layout_of(USER_FOLDS) == layout_of(USER_FOLDS[:]) < 2**24
    assert len({layout_of(folds) for folds in (USER_FOLDS, changed, USER_FOLDS[:-1])}) == 3


def anonymous(item: str, time: float) -> Event:
    return Event(event_id="", kind=Kind.CLICK, time=time, session_id="s", item_id=item)


def test_what_a_session_does_after_it_was_claimed_is_the_users_until_another_claims_it() -> None:
    claimed, other = (
        act(Kind.LIKE, item, time, user=user, session_id="s")
        for user, item, time in (("u", "i2", 2.0), ("v", "i4", 4.0))
    )
    events = [anonymous("i1", 1.0), claimed, anonymous("i3", 3.0), other, anonymous("i5", 5.0)]
    replay = replay_of(events)
    assert replay.user(user_key("u")).history.tolist() == [1, 2, 3]
    assert replay.user(user_key("v")).history.tolist() == [4, 5]
    assert replay.user(session_key("s")).total == 0
    gone = act(Kind.FORGET, "", 6.0, user="v", session_id="s")
    after = replay_of([*events, gone, anonymous("i6", 7.0)])
    assert after.user(session_key("s")).history.tolist() == [6], "a device that nobody has claimed"


@pytest.mark.parametrize(
    ("own", "theirs", "sessions", "events"),
    [((0, 10), (15, 17), 1, 5), ((0, 2), (100, 101), 2, 3), ((100, 101), (0, 2), 2, 3)],
)
def test_visits_of_user_and_session_that_touch_are_one(
    own: tuple[int, int], theirs: tuple[int, int], sessions: int, events: int
) -> None:
    mine = [act(Kind.LIKE, "i1", 60.0 * m) for m in own]
    others = [anonymous("i2", 60.0 * m) for m in theirs]
    end = 60.0 * (max(*own, *theirs) + 1)
    joined = replay_of([*mine, *others, act(Kind.SEARCH, "", end, session_id="s")])
    state = joined.user(user_key("u"))
    assert (state.sessions, state.session_events, state.total) == (sessions, events, 5)


def test_the_newer_visit_of_user_and_session_is_the_one_that_goes_on() -> None:
    minute = 60.0
    visits = [
        act(Kind.LIKE, "i1", 0.0),
        anonymous("i2", 100 * minute),
        anonymous("i3", 101 * minute),
    ]
    joined = replay_of([*visits, act(Kind.SEARCH, "", 102 * minute, session_id="s")])
    state = joined.user(user_key("u"))
    assert (state.session_start, state.session_events) == (100 * minute, 3)
    assert (state.sessions, state.total) == (2, 4)

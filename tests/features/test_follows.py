"""Whom a visitor follows, out of their record and their profile."""

import numpy as np

from palate.arrays import Rows
from palate.catalog.user import user_key
from palate.events.kinds import Event, Kind
from palate.events.protocol import Logged
from palate.features.follows import followed
from palate.features.record import FOLLOWS, UserState
from palate.settings import Settings
from palate.streaming.replay import Replay
from palate.testing.tiny import tiny_row, tiny_stores

COLUMNS = tiny_stores().columns
SPACE, NIGHT = (COLUMNS.creator_code(f"{name}-studio-0") for name in ("space", "comedy"))


def said(kind: Kind, time: float, creator: str = "", item: str = "") -> Event:
    properties = {"creator_id": creator} if creator else {}
    return Event(
        event_id="", kind=kind, time=time, user_id="u", item_id=item, properties=properties
    )


def after(*events: Event) -> UserState:
    replay = Replay(Settings(), COLUMNS)
    logged = [Logged(n, 0.0, event) for n, event in enumerate(events, start=1)]
    replay.fold(logged, lambda ids: np.array([tiny_row(each) for each in ids], np.int32))
    return replay.user(user_key("u"))


def codes(state: UserState, *profile: str) -> set[int]:
    found: Rows = followed(state, COLUMNS, profile)
    return set(found.tolist())


def test_the_last_word_on_a_creator_stands_by_its_own_time() -> None:
    on, off = said(Kind.FOLLOW, 9.0, "space-studio-0"), said(Kind.UNFOLLOW, 8.0, "space-studio-0")
    assert codes(after(on)) == {SPACE}
    assert codes(after(on, off)) == {SPACE}, "it came late"
    assert codes(after(off, on, said(Kind.UNFOLLOW, 9.5, "space-studio-0"))) == set()


def test_an_item_stands_for_its_creator_and_both_ways_to_say_it_are_one() -> None:
    on = said(Kind.FOLLOW, 1.0, item="space-2")
    assert codes(after(on)) == {SPACE}
    assert codes(after(on, said(Kind.UNFOLLOW, 2.0, "space-studio-0"))) == set()


def test_what_was_done_wins_over_the_profile_which_holds_else() -> None:
    off = said(Kind.UNFOLLOW, 1.0, "space-studio-0")
    assert codes(UserState.nobody(), "space-studio-0", "nobody") == {SPACE}
    assert codes(after(off), "space-studio-0", "comedy-studio-0") == {NIGHT}


def test_a_creator_without_items_is_followed_once_they_have_one() -> None:
    assert codes(after(said(Kind.FOLLOW, 1.0, "unheard of"))) == set()


def test_a_record_keeps_the_newest_words_only() -> None:
    many = [said(Kind.FOLLOW, float(n), f"c{n}") for n in range(FOLLOWS + 6)]
    state = after(said(Kind.FOLLOW, 0.5, "space-studio-0"), *many)
    assert len(state.follows) == FOLLOWS
    assert state.follow_times.tolist() == [float(n) for n in range(6, FOLLOWS + 6)]
    assert codes(state) == set()

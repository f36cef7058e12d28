from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import log1p, pi, sin

import numpy as np
import pytest

from palate.arrays import Floats
from palate.catalog.columns import ItemColumns
from palate.catalog.item import Item
from palate.catalog.protocol import ItemChange
from palate.catalog.user import user_key
from palate.errors import BadInput
from palate.events.kinds import Event, Kind, Shown
from palate.events.protocol import Logged
from palate.features.folds import DAY, HOUR
from palate.features.known import Known
from palate.features.record import UserState
from palate.features.vector import chosen, layout_hash, matrix, offered
from palate.settings import Settings
from palate.streaming.replay import Replay

NOW = 20_000 * DAY + 6 * HOUR
GENERATORS = ("covisit", "popular")
NAMES = offered(GENERATORS)


SILENT = {
    *("tower_last", "tower_best_10"),  # there is no release
}


def items() -> list[Item]:
    """Ten items: two categories and two creators in turn; the last three say nothing."""
    told = [
        Item(
            item_id=f"i{n}",
            title=("wild west horses", "deep space robots")[n % 2],
            categories=(("west", "space")[n % 2],),
            creator_id=f"k{n % 2}",
            tags=("a", "b"),
            published_at=NOW - (n + 1) * 365.25 * DAY,
            min_age=12,
            expires_at=NOW + 9 * DAY if n == 3 else None,
            regions=("DE",) if n == 3 else (),
        )
        for n in range(7)
    ]
    return told + [Item(item_id=f"i{n}") for n in range(7, 10)]


def act(kind: Kind, row: int, ago: float, **more: object) -> Event:
    facts = {"user_id": "u", "item_id": f"i{row}", **more}
    return Event(event_id="", kind=kind, time=NOW - ago, **facts)


CODES = [(n % 2, n // 2, 0) for n in range(7)] + [(-1, -1, -1)] * 4
"""Two topics, every item a part of its own; the last three say nothing, and a blank row follows."""
EVENTS = (
    act(Kind.PROFILE, 0, 90 * HOUR, value=4.0),
    act(Kind.RATING, 0, 30 * HOUR, value=5.0),
    act(Kind.RATING, 1, 29 * HOUR, value=2.0),
    act(Kind.LIKE, 2, 28 * HOUR),
    act(
        Kind.IMPRESSION,
        0,
        2 * HOUR,
        items=(Shown(item_id="i2", position=1), Shown(item_id="i5", position=2)),
    ),
    act(Kind.IMPRESSION, 0, 1 * HOUR, items=(Shown(item_id="i5", position=1),)),
    act(Kind.CLICK, 8, 10 * HOUR, user_id="v"),
    act(Kind.CLICK, 8, 9 * HOUR, user_id="v"),
    act(Kind.CLICK, 4, 0.0),
)


@pytest.fixture(scope="module")
def replay() -> Replay:
    columns = ItemColumns.in_memory()
    columns.write([ItemChange(n + 1, n, item.item_id, item) for n, item in enumerate(items())])
    columns.codes = np.array(CODES, np.int16)
    replay = Replay(Settings(), columns)
    logged = [Logged(n + 1, 0.0, event) for n, event in enumerate(EVENTS)]
    replay.fold(logged, lambda ids: np.array([int(name[1:]) for name in ids], np.int32))
    return replay


def told(
    replay: Replay, *names: str, user: UserState | None = None, rows: Sequence[int] = range(10)
) -> Floats:
    """Features of the items, when covisit found items 0 and 3 and popular item 3."""
    scores = np.full((len(rows), 2), np.nan, np.float32)
    ranks = np.zeros((len(rows), 2), np.int16)
    for place, row in enumerate(rows):
        if row in (0, 3):
            scores[place, 0], ranks[place, 0] = 0.5 + row, 1 + row
        if row == 3:
            scores[place, 1], ranks[place, 1] = 9.0, 2
    return matrix(
        names or NAMES,
        Known(replay.columns, replay.states, replay.covisit),
        user=replay.user(user_key("u")) if user is None else user,
        now=NOW,
        rows=np.array(rows, np.int32),
        scores=scores,
        ranks=ranks,
        generators=GENERATORS,
    )


def column(replay: Replay, name: str) -> Floats:
    return told(replay, name)[:, 0]


def test_there_are_fifty_features_of_each_subject_with_names_of_their_own() -> None:
    heard = ("two_tower", "covisit", "popular", "content", "trending", "fresh", "a", "b")
    names = offered(heard)
    subjects = Counter(feature.subject for feature in chosen(names))
    assert subjects == {"user": 50, "item": 50, "cross": 50}
    assert len(names) == len(set(names))
    assert all(feature.doc and feature.unit for feature in chosen(names))
    assert all(feature.unit.startswith("log ") for feature in chosen(names) if feature.log)


def test_every_feature_is_a_finite_number_for_anybody_and_any_item(replay: Replay) -> None:
    for user in (replay.user(user_key("u")), UserState.nobody(), UserState.nobody(segment=999)):
        table = told(replay, user=user, rows=[*range(10), 500, 5_000])
        assert table.shape == (12, len(NAMES))
        assert table.dtype == np.float32
        assert np.isfinite(table).all()


def test_every_feature_says_something_of_somebody(replay: Replay) -> None:
    for feature, values in zip(chosen(NAMES), told(replay).T, strict=True):
        if feature.subject != "user" and feature.name not in SILENT:
            assert np.ptp(values) > 0, feature.name


def test_a_feature_of_all_candidates_lies_in_one_piece(replay: Replay) -> None:
    assert told(replay).T.flags.c_contiguous


def test_no_candidates_give_an_empty_table(replay: Replay) -> None:
    assert told(replay, rows=[]).shape == (0, len(NAMES))


def test_features_come_as_asked_for_whatever_else_is_asked(replay: Replay) -> None:
    whole = told(replay)
    some = ("found_by", "item_engaged", "user_acts")
    places = [NAMES.index(name) for name in some]
    np.testing.assert_array_equal(told(replay, *some), whole[:, places])


def test_each_candidate_is_judged_alone(replay: Replay) -> None:
    np.testing.assert_allclose(told(replay)[3:6], told(replay, rows=[3, 4, 5]), rtol=1e-6)


def test_an_unknown_feature_is_named(replay: Replay) -> None:
    with pytest.raises(BadInput, match="no_such_feature"):
        told(replay, "user_acts", "no_such_feature")


def test_the_layout_hash_tells_layouts_apart_by_name_and_order() -> None:
    assert layout_hash(NAMES) == layout_hash(list(NAMES))
    assert layout_hash(NAMES) != layout_hash(NAMES[::-1])
    assert layout_hash(NAMES) != layout_hash(NAMES[:-1])


def test_generators_speak_through_score_rank_and_number(replay: Replay) -> None:
    assert column(replay, "covisit_score")[[0, 1, 3]].tolist() == [0.5, 0.0, 3.5]
    assert column(replay, "covisit_rank")[[0, 1, 3]].tolist() == [1.0, 0.0, 0.25]
    assert column(replay, "popular_rank")[[0, 3]].tolist() == [0.0, 0.5]
    assert column(replay, "fresh_score").tolist() == [0.0] * 10
    assert column(replay, "found_by")[[0, 1, 3]].tolist() == [1.0, 0.0, 2.0]
    assert column(replay, "best_rank")[[0, 1, 3]].tolist() == [1.0, 0.0, 0.5]


def test_the_users_numbers(replay: Replay) -> None:
    def only(name: str) -> float:
        values = set(column(replay, name).tolist())
        assert len(values) == 1
        return values.pop()

    assert only("user_acts") == pytest.approx(log1p(4))
    assert only("user_sessions") == pytest.approx(log1p(4))
    assert only("user_gap_hours") == 0.0
    assert only("user_known_days") == pytest.approx(log1p(30 / 24))
    assert only("user_act_gap_hours") == pytest.approx(log1p(10))
    assert only("user_rating") == pytest.approx((7 + 17.5) / 7)
    assert only("user_engaged_1d") == pytest.approx(
        log1p(1 + sum(0.5 ** (h / 24) for h in (30, 29, 28)))
    )
    assert only("user_positive_rate") == pytest.approx((2 + 3) / 14)
    assert only("user_breadth") == pytest.approx(log1p(2))
    assert only("user_segment_known") == 1.0
    assert only("hour_sin") == pytest.approx(sin(2 * pi / 4))


def test_somebody_new_was_away_for_the_longest_time(replay: Replay) -> None:
    hours = told(replay, "user_gap_hours", user=UserState.nobody())
    assert hours[0, 0] == pytest.approx(log1p(90 * 24))


def test_the_items_numbers(replay: Replay) -> None:
    assert column(replay, "item_engaged")[:6] == pytest.approx(
        np.log1p([1, 1, 1, 0, 1, 0]), abs=1e-6
    )
    assert column(replay, "item_engaged_1d")[0] == pytest.approx(log1p(0.5 ** (30 / 24)))
    assert column(replay, "item_rating")[[0, 3]] == pytest.approx([22.5 / 6, 3.5])
    assert column(replay, "item_click_rate")[[4, 5]] == pytest.approx([2 / 20, 1 / 22])
    assert column(replay, "item_age_days")[[0, 9]] == pytest.approx([log1p(365.25), 0.0])
    assert column(replay, "item_age_known").tolist() == [1.0] * 7 + [0.0] * 3
    assert column(replay, "item_last_days")[[0, 3, 4]] == pytest.approx([log1p(1.25), 0, 0])
    assert column(replay, "item_tags")[[0, 9]] == pytest.approx([log1p(2), 0])
    assert column(replay, "item_min_age")[[0, 9]].tolist() == [12, 0]


def test_counters_stand_still_while_nothing_happens(replay: Replay) -> None:
    assert replay.states.newest == NOW
    later = matrix(
        ("item_engaged_1h", "user_engaged_1h", "user_gap_hours"),
        Known(replay.columns, replay.states, replay.covisit),
        user=replay.user(user_key("u")),
        now=NOW + 1_000 * DAY,
        rows=np.array([4], np.int32),
        scores=np.empty((1, 0), np.float32),
        ranks=np.empty((1, 0), np.int16),
        generators=(),
    )
    assert later[0] == pytest.approx([log1p(1), log1p(1), log1p(90 * 24)])


def test_categories_are_liked_as_the_history_says(replay: Replay) -> None:
    west, space, none = 6, 5, 9
    at = [west, space, none]
    assert column(replay, "category_recent")[at] == pytest.approx([0.75, 0.25, 0])
    assert column(replay, "category_ever")[at] == pytest.approx([0.75, 0.25, 0])
    assert column(replay, "category_best")[at] == pytest.approx([0.75, 0.25, 0])
    assert column(replay, "category_liked")[at] == pytest.approx([1, 0, 0])
    assert column(replay, "category_disliked")[at] == pytest.approx([0, 1, 0])
    assert column(replay, "category_rated")[at] == pytest.approx([1.5 / 4, -1.5 / 4, 0])
    assert column(replay, "category_known")[at] == pytest.approx([1, 1, 0])


def test_topics_are_liked_as_the_history_says_and_so_are_their_parts(replay: Replay) -> None:
    west, space, part, none = 6, 5, 2, 9
    at = [west, space, part, none]
    assert column(replay, "topic_recent")[at] == pytest.approx([0.75, 0.25, 0.75, 0])
    assert column(replay, "topic_ever")[at] == pytest.approx([0.75, 0.25, 0.75, 0])
    assert column(replay, "topic_liked")[at] == pytest.approx([1, 0, 1, 0])
    assert column(replay, "topic_disliked")[at] == pytest.approx([0, 1, 0, 0])
    assert column(replay, "subtopic_ever")[at] == pytest.approx([0, 0, 0.25, 0])
    assert column(replay, "subtopic_liked")[at] == pytest.approx([0, 0, 0.5, 0])


def test_creators_count_by_the_engagements_with_them(replay: Replay) -> None:
    at = [6, 5, 9]
    assert column(replay, "creator_ever")[at] == pytest.approx(np.log1p([3, 1, 0]))
    assert column(replay, "creator_recent")[at] == pytest.approx(np.log1p([3, 1, 0]))
    assert column(replay, "creator_liked")[at] == pytest.approx(np.log1p([2, 0, 0]))


def test_content_is_like_what_was_taken_in(replay: Replay) -> None:
    last, best = column(replay, "content_last"), column(replay, "content_best_10")
    assert last[4] == pytest.approx(1.0, abs=1e-5)
    assert last[6] > last[5]
    assert best[1] < best[2]
    assert (best >= column(replay, "content_mean_10") - 1e-6).all()
    assert column(replay, "content_liked")[6] > column(replay, "content_liked")[5]
    assert column(replay, "content_disliked")[6] < column(replay, "content_disliked")[5]


def test_exposure_without_engagement_is_counted(replay: Replay) -> None:
    assert column(replay, "shown_before")[[2, 5, 6]] == pytest.approx(np.log1p([1, 2, 0]))
    assert column(replay, "shown_in_vain")[[2, 5, 6]] == pytest.approx(np.log1p([0, 2, 0]))
    assert column(replay, "shown_hours_ago")[[2, 5, 6]] == pytest.approx(np.log1p([2, 1, 0]))
    assert column(replay, "taken_before")[[0, 4, 5]].tolist() == [1, 1, 0]


def test_segments_have_favourites(replay: Replay) -> None:
    assert column(replay, "segment_engaged")[4] == pytest.approx(log1p(1))
    assert column(replay, "segment_share")[[4, 5]] == pytest.approx([0.5, 0])
    stranger = replace(replay.user(user_key("u")), segment=0)
    assert told(replay, "segment_engaged", user=stranger).max() == 0


def test_eras_lie_apart(replay: Replay) -> None:
    mean = np.mean([1, 3, 5])
    assert column(replay, "era_gap")[[0, 6, 9]] == pytest.approx(
        [log1p(mean - 1), log1p(7 - mean), 0], abs=1e-4
    )

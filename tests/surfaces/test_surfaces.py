"""Whole pages in the tiny world."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given

from palate.catalog.columns import ItemColumns
from palate.errors import BadInput
from palate.events.kinds import Kind, Signal, signals_of
from palate.features.record import UserState
from palate.funnel.types import Answer, Query
from palate.settings import Settings
from palate.stores import Stores
from palate.streaming.replay import Replay
from palate.surfaces import funnel, funnels, names
from palate.surfaces.because_you_watched import last_liked
from palate.surfaces.overrides import certain
from palate.testing.queries import queries, shared
from palate.testing.tiny import (
    NOW,
    tiny_names,
    tiny_row,
    tiny_stores,
    tiny_world,
    waited,
)

ALL = funnels(tiny_stores())
CERTAIN = {name: certain(built) for name, built in ALL.items()}


def page(surface: str, user: str = "", **changes: Any) -> Answer:
    query = replace(tiny_world().query(user, surface), **changes)
    return waited(CERTAIN[surface].answer(query))


def shown(answer: Answer) -> list[str]:
    return tiny_names(answer.slate.rows)


def lawful(row: int) -> bool:
    return row % 10 != 9 or row in {tiny_row("horror-9"), tiny_row("romance-9")}


def test_every_surface_is_found_by_its_file() -> None:
    assert names() == [
        "because_you_watched",
        "continue_watching",
        "home",
        "more_like_this",
        "new_for_you",
        "onboarding",
        "trending",
    ]
    assert sorted(ALL) == names()


def test_home_starts_with_the_rest_of_the_genre_that_somebody_keeps_to() -> None:
    answer = page("home", "u1")
    seen = set(tiny_names(tiny_world().user("u1").seen))
    rest = {f"comedy-{n}" for n in range(9)} - seen
    assert set(shown(answer)[: len(rest)]) == rest
    assert answer.step == "full"
    assert answer.trace.skipped == {}


def test_home_says_because_of_what() -> None:
    answer = page("home", "u1")
    assert answer.reasons[0].kind == "because_of_items"
    assert set(answer.reasons[0].rows) <= set(tiny_world().user("u1").history.tolist())


def test_home_says_of_what_stands_there_by_lot_that_it_does() -> None:
    always = funnel("home", tiny_stores(), {"explore.epsilon": 0.9})
    answer = waited(always.answer(tiny_world().query("u1", size=20)))
    assert answer.slate.explore is not None
    explored = answer.slate.explore.tolist()
    assert any(explored)
    assert [reason.kind == "explore" for reason in answer.reasons] == explored


def test_home_has_a_full_page_for_somebody_new() -> None:
    answer = page("home")
    assert len(answer.slate) == 10
    assert len({name.partition("-")[0] for name in shown(answer)}) >= 4, "of everything a little"


def test_home_goes_on_until_everything_lawful_was_shown() -> None:
    excluded, found = np.empty(0, np.int32), []
    while True:
        rows = page("home", "u1", excluded=excluded).slate.rows
        if not len(rows):
            break
        found += rows.tolist()
        excluded = np.unique(np.concatenate([excluded, rows])).astype(np.int32)
    seen = set(tiny_world().user("u1").seen.tolist())
    assert len(found) == len(set(found))
    assert set(found) == {row for row in range(60) if lawful(row)} - seen


def test_more_like_this_is_of_the_same_genre_and_never_the_item_itself() -> None:
    answer = page("more_like_this", seed_item=tiny_row("space-1"))
    assert {name.partition("-")[0] for name in shown(answer)[:6]} == {"space"}
    assert "space-1" not in shown(answer)
    assert answer.reasons[0].kind == "similar_to_item"
    assert answer.reasons[0].rows == (tiny_row("space-1"),)


def test_more_like_this_without_an_item_shows_nothing() -> None:
    assert shown(page("more_like_this")) == []


def test_because_you_watched_is_about_the_last_thing_that_was_liked() -> None:
    user = tiny_world().user("u1")
    answer = page("because_you_watched", "u1")
    liked = [
        row
        for row, signal in zip(user.history.tolist(), user.signals.tolist(), strict=True)
        if signal & Signal.POSITIVE
    ]
    assert answer.seed_item == liked[-1]
    assert {name.partition("-")[0] for name in shown(answer)[:3]} == {"comedy"}
    assert answer.seed_item not in answer.slate.rows


def test_the_anchor_is_the_last_liked_then_the_last_taken_in_and_never_a_hidden_item() -> None:
    names = ("comedy-1", "space-1", "action-9")
    rows = np.array([tiny_row(name) for name in names], np.int32)
    for liked, anchor in (
        ("comedy-1", "comedy-1"),
        ("nothing", "space-1"),
        ("action-9", "space-1"),
    ):
        signals = [Signal.ENGAGED | (Signal.POSITIVE if name == liked else 0) for name in names]
        user = replace(UserState.nobody(), history=rows, signals=np.array(signals, np.uint8))
        assert last_liked(replace(tiny_world().query(), user=user), tiny_stores().columns) == (
            tiny_row(anchor)
        )


def test_because_you_watched_shows_nothing_to_somebody_who_watched_nothing() -> None:
    answer = page("because_you_watched")
    assert (answer.seed_item, shown(answer), answer.step) == (-1, [], "full")


def viewed(*told: tuple[str, float]) -> UserState:
    """Somebody who watched so much of each, oldest first."""
    rows = np.array([tiny_row(name) for name, _ in told], np.int32)
    signals = [signals_of(Kind.VIEW, part) for _, part in told]
    return replace(
        UserState.nobody(),
        history=rows,
        kinds=np.full(len(rows), Kind.VIEW, np.uint8),
        values=np.array([part for _, part in told], np.float32),
        signals=np.array(signals, np.uint8),
    )


def test_continue_watching_has_what_was_begun_and_not_ended_the_newest_first() -> None:
    user = viewed(
        ("comedy-1", 0.4),
        ("space-1", 0.3),
        ("space-2", 0.01),
        ("comedy-3", 0.95),
        ("comedy-2", float("nan")),
        ("comedy-4", 0.5),
        ("comedy-4", 0.97),
        ("comedy-1", 0.6),
    )
    query = replace(tiny_world().query("", "continue_watching"), user=user)
    answer = waited(CERTAIN["continue_watching"].answer(query))
    assert shown(answer) == ["comedy-1", "space-1"]
    assert {reason.kind for reason in answer.reasons} == {"unfinished"}
    assert shown(page("continue_watching")) == []


def test_new_for_you_has_the_newest_that_suit() -> None:
    newest = set(tiny_stores().boards.top("fresh", 60)[0].tolist())
    found = page("new_for_you", "u1")
    assert len(found.slate) > 0
    assert set(found.slate.rows.tolist()) <= newest


def test_trending_is_the_board_for_everybody() -> None:
    board = [row for row in tiny_stores().boards.top("trending", 60)[0].tolist() if lawful(row)]
    assert page("trending", "u1").slate.rows.tolist() == board[:10]
    assert page("trending").slate.rows.tolist() == board[:10]


@shared
@given(query=queries())
def test_no_surface_shows_anybody_what_they_took_in_or_may_not_see(query: Query) -> None:
    for name in ("home", "more_like_this", "because_you_watched", "new_for_you"):
        answer = waited(ALL[name].answer(replace(query, surface=name)))
        rows = answer.slate.rows.tolist()
        assert not set(rows) & set(query.user.seen.tolist())
        assert not set(rows) & set(query.excluded.tolist())
        assert answer.trace.pool is not None
        proposed = set(answer.trace.pool.rows.tolist())
        assert not proposed & set(query.user.seen.tolist()), "no place of the pool is wasted"
        assert name in {"home", "new_for_you"} or answer.seed_item not in rows
        assert all(lawful(row) for row in rows)
        assert tiny_row("horror-9") not in rows or (query.age or 0) >= 18
        assert tiny_row("romance-9") not in rows or query.region == "DE"
        assert len(set(rows)) == len(rows) == len(answer.reasons) <= query.size


def test_an_empty_site_answers_with_empty_pages() -> None:
    settings, columns = Settings(), ItemColumns.in_memory()
    replay = Replay(settings, columns)
    tiny = tiny_stores()
    stores = Stores(
        settings,
        tiny.items,
        tiny.users,
        tiny.log,
        tiny.online,
        columns,
        replay.states,
        replay.boards(NOW),
        replay.covisit,
        None,
    )
    for name, built in funnels(stores).items():
        answer = waited(built.answer(Query(name, UserState.nobody(), 10, NOW)))
        assert (answer.step, len(answer.slate)) == ("full", 0)


def with_settings(surfaces: dict[str, dict[str, Any]]) -> Stores:
    stores = tiny_stores()
    settings = msgspec.structs.replace(stores.settings, surfaces=surfaces)
    return replace(stores, settings=settings)


def test_the_settings_change_numbers_by_dotted_name() -> None:
    stores = with_settings({"home": {"pool": 30, "at_most.cap": "2", "diversify.strength": 1}})
    built = funnels(stores)["home"]
    assert built.pool == 30
    rules = {type(rule).__name__: rule for rule in built.rules}
    assert rules["AtMost"].cap == 2  # type: ignore[attr-defined]
    assert rules["Diversify"].strength == 1.0  # type: ignore[attr-defined]
    assert funnel("home", stores, {"pool": 40}).pool == 40, "the caller has the last word"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"home": {"at_most.caps": 2}},
            "there is no 'at_most.caps'; did you mean 'at_most.cap'. There are .*at_most",
        ),
        ({"home": {"nothing.cap": 2}}, "there is no 'nothing.cap'"),
        ({"home": {"at_most.cap": "two"}}, "at_most.cap"),
        ({"home": {"at_most.cap": -1}}, "at_most.cap"),
        ({"home": {"pool": -1}}, "pool"),
        ({"home": {"pool": 0}}, "pool"),
        ({"home": {"shortlist": 0}}, "shortlist"),
        ({"home": {"reserve": -1}}, "reserve"),
        ({"home": {"diversify.strength": float("nan")}}, "diversify.strength: a finite number"),
        ({"home": {"generators": 2}}, "there is no 'generators'"),
        (
            {"hom": {}},
            "there is no surface 'hom'; there are because_you_watched, continue_watching, home",
        ),
    ],
)
def test_an_override_that_does_not_fit_is_refused_by_name(
    changes: dict[str, dict[str, Any]], told: str
) -> None:
    with pytest.raises(BadInput, match=told):
        funnels(with_settings(changes))


@pytest.mark.parametrize("surface", ["trending", "more_like_this", "new_for_you"])
def test_a_surface_explores_where_its_settings_say_so(surface: str) -> None:
    query = replace(tiny_world().query("u1", surface, 8), seed_item=21)
    certain_ = waited(funnel(surface, tiny_stores()).answer(query)).slate
    assert certain_.explore is None
    asked = {"explore.epsilon": 0.5, "explore.first": 2, "explore.every": 3}
    slate = waited(funnel(surface, tiny_stores(), asked).answer(query)).slate
    assert slate.explore is not None
    assert slate.propensity is not None
    assert np.flatnonzero(slate.explore).tolist() == [1, 4, 7]
    assert (slate.propensity[slate.explore] < 1).all()

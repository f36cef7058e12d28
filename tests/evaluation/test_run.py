"""The run: it tells nothing of the future, leaves the site alone, and finds what is to be found."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from palate.arrays import Rows
from palate.catalog.fields import moment
from palate.catalog.user import user_key
from palate.errors import BadInput, Conflict
from palate.evaluation.as_of import ItemsAsOf, PastLog, Shelf, read_all, retold
from palate.evaluation.baselines import counted
from palate.evaluation.run import Answers, Wish, answers, evaluate
from palate.evaluation.split import split
from palate.evaluation.workspace import Workspace
from palate.events.batch import EventBatch
from palate.events.kinds import Event, Kind
from palate.events.sqlite import SqliteLog
from palate.funnel.engine import Funnel
from palate.stores import Stores
from palate.surfaces import funnel
from palate.testing.tiny import DAY, EACH, GENRES, NOW, tiny_row, tiny_stores

START = NOW - 60 * DAY
CANARY = "space-7"
"""Nobody takes it before the split and everybody after it."""
SHELF = [f"{genre}-6" for genre in GENRES]


Dates: TypeAlias = Mapping[str, float | None]
"""By item: when it is published."""


def home(stores: Stores) -> Funnel:
    return funnel("home", stores, {"explore.epsilon": 0.0})


def untrained(stores: Stores, _: object) -> Stores:
    return stores


def silent(_doing: str, _done: float) -> None:
    pass


def took(user: str, item: str, time: float) -> Event:
    return Event(
        event_id=f"{user}-{item}-{time}", kind=Kind.CLICK, time=time, user_id=user, item_id=item
    )


def past(people: int = 40) -> list[Event]:
    """Six days of people who keep to a genre and take six of its ten items: 240 events of 40."""
    dice = np.random.default_rng(3)
    order = [dice.permutation(6) for _ in range(people)]
    return [
        took(f"u{n}", f"{GENRES[n % len(GENRES)]}-{order[n][step]}", START + step * DAY + n)
        for step in range(6)
        for n in range(people)
    ]


def future(order: np.random.Generator) -> list[Event]:
    """What comes after the split, told in the order that the dice give: 60 events of 20 + 2."""
    known = [(f"new{n}", f"comedy-{at}", NOW + at) for n in range(2) for at in range(5)]
    eights = order.permutation([f"{GENRES[n % 6]}-8" for n in range(20)])
    pairs = [(f"u{n}", item) for n in range(20) for item in (CANARY, str(eights[n]))]
    for n in range(2):
        pairs += [(f"new{n}", item) for item in (CANARY, *order.permutation(SHELF)[:4].tolist())]
    times = NOW + 10 + order.permutation(len(pairs))
    later = [(*pair, time) for pair, time in zip(pairs, times.tolist(), strict=True)]
    return [took(*each) for each in known + later]


def site_of(events: Sequence[Event], dates: Dates | None = None) -> Stores:
    log, stores = SqliteLog(Path(":memory:")), tiny_stores()
    log.append(events, NOW)
    for name, date in (dates or {}).items():
        stores.items.edit(name, partial(msgspec.structs.replace, published_at=date))
    return replace(stores, log=log)


def asked(events: Sequence[Event], dates: Dates | None = None, **wish: object) -> Answers:
    return answers(site_of(events, dates), Wish(**wish), home, untrained, silent)  # type: ignore[arg-type]


def first_ten(found: Answers, model: str) -> list[list[int]]:
    return [rows[:10].tolist() for rows in found.lists[model]]


def built(events: Sequence[Event], protocol: str, folder: Path) -> tuple[Workspace, EventBatch]:
    site = site_of(events)
    shelf = Shelf.of(site.items)
    batch, _ = read_all(site.log, shelf, lambda _: None)
    cut = split(batch, protocol)  # type: ignore[arg-type]
    return Workspace.build(site, shelf, batch, cut, folder), batch


def test_another_future_leaves_every_list_unchanged_bit_for_bit() -> None:
    eights = [f"{genre}-8" for genre in GENRES]
    soon = {CANARY: NOW + DAY, **dict.fromkeys(eights, NOW + 3 * DAY)}
    late = {CANARY: NOW + 900 * DAY, **dict.fromkeys(eights)}
    one = asked(past() + future(np.random.default_rng(1)), soon)
    other = asked(past() + future(np.random.default_rng(2)), late)
    assert [c.user for c in one.bench.cases] == [c.user for c in other.bench.cases]
    assert any(
        a.relevant.tolist() != b.relevant.tolist()
        for a, b in zip(one.bench.cases, other.bench.cases, strict=True)
    )
    for name, lists in one.lists.items():
        for mine, theirs in zip(lists, other.lists[name], strict=True):
            assert_array_equal(mine, theirs, err_msg=name)


@pytest.mark.parametrize(
    "model",
    [
        *("popularity_7d", "covisit", "popular", "popular_in_genre", "trending", "fresh"),
        *("fusion", "funnel"),
    ],
)
@pytest.mark.parametrize("published", [NOW + DAY, None])
def test_an_item_that_is_popular_only_later_stays_low(model: str, published: float | None) -> None:
    found = asked(past() + future(np.random.default_rng(1)), {CANARY: published})
    canary = tiny_row(CANARY)
    shown = sum(canary in rows for rows in first_ten(found, model))
    relevant = sum(canary in case.relevant for case in found.bench.cases)
    assert relevant > 15
    assert shown < relevant / 4


def test_what_learns_sees_nothing_from_the_split_on() -> None:
    seen: list[Event] = []

    def learn(stores: Stores, _: object) -> Stores:
        seen.extend(entry.event for entry in stores.log.read(0, 10_000))
        return stores

    site = site_of(past() + future(np.random.default_rng(1)))
    found = answers(site, Wish(), home, learn, silent)
    assert len(seen) == 240
    assert max(event.time for event in seen) < moment(found.data["t1"])


def test_cold_visitors_know_their_own_five_events_and_nobody_else_does(tmp_path: Path) -> None:
    space, _ = built(past() + future(np.random.default_rng(1)), "time", tmp_path)
    mine = space.visitors.user(user_key("new1"))
    assert_array_equal(mine.history, [tiny_row(f"comedy-{at}") for at in range(5)])
    assert mine.last_time == space.moment
    assert_array_equal(np.diff(mine.times), 1.0)
    assert space.stores.states.newest < space.moment
    taken = space.stores.states.decayed("engaged_total", space.moment)
    assert taken.sum() == pytest.approx(240)


def test_leave_one_out_shows_the_validation_event_to_its_user_alone(tmp_path: Path) -> None:
    events = past(people=12)
    space, batch = built(events, "loo", tmp_path)
    mine = space.visitors.user(user_key("u3"))
    own = [event for event in events if event.user_id == "u3"]
    assert_array_equal(mine.history, [tiny_row(event.item_id) for event in own[:-1]])
    assert space.moment - mine.last_time == own[-1].time - own[-2].time
    taken = space.stores.states.decayed("engaged_total", space.moment)
    assert taken.sum() == pytest.approx(len(batch) - 2 * 12)


def test_nobody_is_recommended_what_they_took() -> None:
    found = asked(past() + future(np.random.default_rng(1)))
    for name, lists in found.lists.items():
        for case, rows in zip(found.bench.cases, lists, strict=True):
            assert not set(rows.tolist()) & set(case.taken.tolist()), name


def test_people_who_keep_to_a_genre_are_better_served_by_covisit_than_by_popularity() -> None:
    report = evaluate(site_of(past()), Wish("loo"), home, untrained, silent)
    by_name = {name: report.row(name, "all") for name in ("popularity", "covisit", "funnel")}
    assert by_name["covisit"]["ndcg@10"] > 2 * by_name["popularity"]["ndcg@10"]  # type: ignore[operator]
    assert by_name["funnel"]["recall@10"] > by_name["popularity"]["recall@10"]  # type: ignore[operator]


def test_the_report_has_a_row_for_every_model_and_slice_and_says_what_it_counted() -> None:
    site = site_of(past() + future(np.random.default_rng(1)))
    report = evaluate(site, Wish(command="palate evaluate"), home, untrained, silent)
    models = {row["model"] for row in report.rows}
    assert {"popularity", "covisit", "union", "rrf", "fusion", "funnel"} <= models
    assert "two_tower" not in models  # nothing was learnt: it is silent, not bad
    assert len(report.rows) == 3 * len(models)
    assert {"recall@10", "ndcg@10", "coverage@10", "gini@10", "ndcg@10_interval"} <= (
        report.row("funnel", "cold").keys()
    )
    assert report.row("covisit", "warm")["recall@500"] >= report.row("covisit", "warm")["recall@10"]  # type: ignore[operator]
    assert (report.data["warm"], report.data["cold"]) == (20, 2)
    assert (report.data["events"], report.data["train_events"]) == (300, 240)
    assert report.command == "palate evaluate"
    assert report.table().row_count == len(report.rows) + 3  # and the slices' names


def test_a_training_that_gave_rows_to_unlisted_items_changes_nothing() -> None:
    events = past() + future(np.random.default_rng(1))
    stray = [took(f"u{n}", "never-listed", START + n * DAY / 9) for n in range(30)]
    late = [took(f"u{n}", "never-listed", NOW + 20 + n) for n in range(9)]
    before, after = site_of(events + stray + late), site_of(events + stray + late)
    after.items.rows(["never-listed"], create=True)
    one, other = (answers(site, Wish(), home, untrained, silent) for site in (before, after))
    assert one.data == other.data
    assert one.data["left_out"] == 39
    unlisted = after.items.rows(["never-listed"], create=False)[0]
    for mine, theirs in zip(one.bench.cases, other.bench.cases, strict=True):
        assert_array_equal(mine.relevant, theirs.relevant)
        assert unlisted not in {*theirs.relevant.tolist(), *theirs.history.tolist()}
    for name, lists in one.lists.items():
        for a, b in zip(lists, other.lists[name], strict=True):
            assert_array_equal(a, b, err_msg=name)
            assert unlisted not in b


def test_what_is_hidden_is_neither_asked_for_nor_listed_by_a_count_but_known_to_its_taker(
    tmp_path: Path,
) -> None:
    hidden = "action-9"
    mine = [took(f"u{n}", hidden, START + 3 * DAY + n / 9) for n in range(40)]
    late = [took(f"u{n}", hidden, NOW + 20 + n) for n in range(30, 40)]
    site = site_of([*past(), *future(np.random.default_rng(1)), *mine, *late])
    found = answers(site, Wish(), home, untrained, silent)
    row = tiny_row(hidden)
    assert found.data["left_out"] == 50
    space, _ = built([*past(), *future(np.random.default_rng(1)), *mine], "time", tmp_path)
    assert row in space.crowd.user(user_key("u3")).history
    assert not any(row in case.relevant for case in found.bench.cases)
    assert not any(row in rows for lists in found.lists.values() for rows in lists)


def test_a_draw_of_users_is_the_same_for_the_same_seed() -> None:
    events = past() + future(np.random.default_rng(1))
    users = [[c.user for c in asked(events, users=7, seed=s).bench.cases] for s in (4, 4, 5)]
    assert len(users[0]) == 7
    assert users[0] == users[1] != users[2]


def test_only_the_models_that_are_asked_for_answer() -> None:
    found = asked(past() + future(np.random.default_rng(1)), models=("covisit", "popularity"))
    assert list(found.lists) == ["popularity", "covisit"]


def test_a_model_that_there_is_not_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(BadInput, match="no model 'magic'; there are popularity, "):
        asked(past() + future(np.random.default_rng(1)), models=("magic",))


def test_models_are_checked_before_anything_is_learnt() -> None:
    def learn(*_: object) -> Stores:
        raise AssertionError("learnt")

    with pytest.raises(BadInput, match=r"no model 'magic'; there are .*lambdamart, ranker"):
        evaluate(tiny_stores(), Wish(models=("ranker", "magic")), home, learn, silent)


def test_the_future_is_no_part_of_the_catalogue_and_nobody_is_barred() -> None:
    items = ItemsAsOf(Shelf.of(tiny_stores().items), NOW)
    by_name = {change.item_id: change.item for change in items.changes(0, 1_000)}
    later, expired, adult, local = (
        by_name[name] for name in ("drama-9", "comedy-9", "horror-9", "romance-9")
    )
    assert later
    assert later.published_at is None
    assert by_name["drama-0"] == items.find(["drama-0"])[0]
    assert expired
    assert adult
    assert local
    assert (expired.expires_at, adult.min_age, local.regions) == (None, 0, ())
    hidden = by_name["action-9"]
    assert hidden
    assert hidden.hidden


def test_an_evaluation_only_reads() -> None:
    stores = tiny_stores()
    shelf = Shelf.of(stores.items)
    batch, _ = read_all(stores.log, shelf, lambda _: None)
    items = ItemsAsOf(shelf, NOW)
    log = PastLog(stores.log, retold(batch, batch.time < NOW))
    with pytest.raises(Conflict):
        items.put([])
    with pytest.raises(Conflict):
        items.remove(["drama-0"])
    with pytest.raises(Conflict):
        log.append([], NOW)
    before = tiny_stores().items.counts()
    assert items.rows(["never-heard-of"], create=True).tolist() == [-1]
    assert tiny_stores().items.counts() == before


def test_every_item_but_the_hidden_is_a_candidate(tmp_path: Path) -> None:
    space, batch = built(past() + future(np.random.default_rng(1)), "time", tmp_path)
    world = space.world(batch, split(batch, "time"))
    assert world.candidates == len(GENRES) * EACH - 2  # one is hidden, one unknown
    assert world.users == 40
    shelf: Rows = np.flatnonzero(world.takers).astype(np.int32)
    assert set(shelf.tolist()) <= {tiny_row(f"{g}-{n}") for g in GENRES for n in range(6)}


def test_profiles_are_no_events_of_the_data_and_are_known_at_the_split(tmp_path: Path) -> None:
    events = past() + future(np.random.default_rng(1))
    profile = Event(event_id="p", kind=Kind.PROFILE, time=NOW + DAY, user_id="u3", value=5.0)
    assert asked([*events, profile]).data == asked(events).data
    space, _ = built([*events, profile], "time", tmp_path)
    assert space.crowd.user(user_key("u3")).segment == 5
    assert space.stores.log.read(0, 1)[0].event.time == START


def test_recent_popularity_counts_the_last_seven_days_only() -> None:
    events = [took(f"a{n}", "drama-1", NOW - 9 * DAY + n) for n in range(9)]
    events += [took(f"b{n}", "drama-2", NOW - 6 * DAY + n) for n in range(3)]
    events += [took("a0", "space-1", NOW), took("a1", "space-1", NOW), took("a2", "space-1", NOW)]
    batch = EventBatch.encode(
        site_of(events).log.read(0, 100), lambda ids: np.array([tiny_row(i) for i in ids], np.int32)
    )
    scores = counted(batch, split(batch, "time"), np.ones(EACH * len(GENRES), np.bool_))
    one, two = tiny_row("drama-1"), tiny_row("drama-2")
    assert (scores["popularity"][one], scores["popularity"][two]) == (9, 3)
    assert (scores["popularity_7d"][one], scores["popularity_7d"][two]) == (0, 3)


def test_next_counts_the_very_next_event_and_nothing_later() -> None:
    found = asked(past() + future(np.random.default_rng(1)))
    perfect = [case.relevant[:1] for case in found.bench.cases]
    later = [case.relevant[1:] for case in found.bench.cases]
    assert next(iter(found.bench.rows("x", perfect)))["next_recall@10"] == 1.0
    assert next(iter(found.bench.rows("x", later)))["next_recall@10"] == 0.0

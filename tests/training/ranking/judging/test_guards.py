"""Beyond hits: what a ranker may not give up, and the live release that it has to follow."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from msgspec import structs

from palate.models.ranker import HEADS
from palate.releases.manifest import Manifest, Verdict
from palate.releases.release import Release
from palate.settings import GateSettings
from palate.testing.tiny import tiny_stores
from palate.training.ranking.judging.guards import Breadth, Items, breadth, guarded
from palate.training.ranking.judging.live import ASKED, SHIPPED, Window, compared
from palate.training.ranking.lists import RankedList, firsts, ndcg

PASSED = Verdict(part="ranker", shipped=True, sentence="It is better. It ships.")
DAY = 86_400.0


def listed(user: int, hit: int, position: int = 10) -> RankedList:
    """Twelve items; two generators rank them, one the other way round; one item was taken."""
    labels = np.zeros((12, len(HEADS)), np.float32)
    labels[hit, 0] = 1.0
    ranks = np.stack([np.arange(12) + 1, 12 - np.arange(12)], axis=1).astype(np.int16)
    every = np.arange(12)
    none = np.zeros((12, 2), np.float32)
    rows = every.astype(np.int32)
    return RankedList(user, 100 * DAY, rows, ranks, labels, 1, every, none, 1.0, position=position)


def test_first_pages_are_the_ten_best_of_each_list() -> None:
    lists = [listed(1, 0), listed(2, 0)]
    scores = np.concatenate([np.arange(12), -np.arange(12)]).astype(np.float32)
    pages = firsts(lists, scores)
    assert [page.tolist() for page in pages] == [list(range(11, 1, -1)), list(range(10))]


def test_breadth_counts_items_their_unlikeness_and_news() -> None:
    born = np.zeros(12)
    born[:4], born[4] = 90 * DAY, np.inf
    alike = Items(np.ones((12, 1), np.float32), born)
    found = breadth([listed(1, 0)], -np.arange(12, dtype=np.float32), alike)
    assert found == Breadth(coverage=10.0, diversity=0.0, fresh=0.5)
    apart = Items(np.eye(12, dtype=np.float32), born)
    assert breadth([listed(1, 0)], np.zeros(12, np.float32), apart).diversity == 1.0


def test_a_ranker_that_shows_everybody_the_same_is_held_back_in_plain_words() -> None:
    limits, fusion = GateSettings(), Breadth(100.0, 0.8, 0.2)
    kept = guarded(PASSED, (Breadth(90.0, 0.8, 0.2), fusion), {"ranker/click/ece": 0.01}, limits)
    assert kept.shipped
    assert kept.numbers["fusion/coverage"] == 100.0
    narrow = guarded(PASSED, (Breadth(20.0, 0.8, 0.2), fusion), {}, limits)
    assert not narrow.shipped
    assert "coverage 20 of at least 50" in narrow.sentence
    assert "weighted fusion" in narrow.sentence
    stale = guarded(PASSED, (Breadth(90.0, 0.8, 0.0), fusion), {}, limits)
    assert "fresh 0 of at least 0.06" in stale.sentence
    boastful = guarded(PASSED, (fusion, fusion), {"ranker/view/ece": 0.2}, limits)
    assert not boastful.shipped
    assert "ranker/view/ece 0.200" in boastful.sentence


@dataclass(frozen=True)
class World:
    """Lists on which the first generator is right, and what a live release made of them."""

    users: int = 30
    position: int = 10

    def window(self, *, new: str) -> Window:
        lists = [listed(user, 1, self.position) for user in range(self.users)]
        place = 0 if new == "right" else 1
        ranks = np.concatenate([each.ranks[:, place] for each in lists])
        orders = -ranks.astype(np.float32)
        names = ("right", "wrong")
        return Window(lists, ndcg(lists, orders), orders, (), names, alike())


def alike(**new: float) -> Items:
    """Old items that are all described alike, but for the first."""
    born = np.zeros(12)
    born[0] = new.get("first", 0.0)
    return Items(np.ones((12, 1), np.float32), born)


def live(fusion: dict[str, float], position: int = 5) -> Any:
    manifest = Manifest(created=0.0, version="test", log_position=position)
    return Release("before", manifest, fusion=fusion)


RIGHT, WRONG = {"right": 1.0, "wrong": 0.0}, {"right": 0.0, "wrong": 1.0}


def test_a_release_that_is_surely_worse_than_the_live_one_is_not_promoted() -> None:
    stores = tiny_stores()
    told, promote = compared(PASSED, World().window(new="wrong"), live(RIGHT), stores)
    assert not promote
    assert "The live one stays" in told.sentence
    told, promote = compared(PASSED, World().window(new="right"), live(WRONG), stores)
    assert promote
    assert told.numbers["over_live"] > 0.1


def test_a_release_that_shows_less_of_what_the_live_one_shows_is_not_promoted() -> None:
    """Both order by fusion of the same right: one puts the new item on no page, one on all."""
    stores, good = tiny_stores(), World().window(new="right")
    dull = good._replace(orders=np.tile(np.r_[-99.0, np.arange(11)], 30).astype(np.float32))
    for window, goes in ((good, True), (dull, False)):
        told, promote = compared(
            PASSED, window._replace(items=alike(first=99 * DAY)), live(RIGHT), stores
        )
        assert promote == goes
        assert told.numbers["live/fresh"] == 0.1
        assert told.numbers["live/coverage"] == 10.0
        assert ("fresh 0 of at least 0.03 ([gate] fresh). The live one" in told.sentence) != goes
        assert ("keep enough of the different items, the variety and" in told.sentence) == goes
    told, promote = compared(PASSED, dull._replace(items=alike()), live(RIGHT), stores)
    assert promote, "nothing is new, so nothing new is given up"


def test_a_release_that_shows_everybody_the_same_does_not_follow_one_that_does_not() -> None:
    stores, good = tiny_stores(), World().window(new="right")
    lists = [replace(each, rows=each.rows + 12 * n) for n, each in enumerate(good.lists)]
    items = Items(np.ones((400, 1), np.float32), np.zeros(400))
    told, promote = compared(PASSED, good._replace(lists=lists, items=items), live(RIGHT), stores)
    assert promote
    same = [replace(each, rows=np.r_[each.rows[:2], lists[0].rows[2:]]) for each in lists]
    low = np.tile(np.r_[-98.0, -99.0, np.arange(10)], 30).astype(np.float32)
    narrow = good._replace(lists=same, items=items, orders=low)
    told, promote = compared(PASSED, narrow, live(RIGHT), stores)
    assert not promote
    assert "coverage 10 of at least 34 ([gate] coverage)" in told.sentence


def test_the_live_release_is_not_judged_by_what_it_learnt_from() -> None:
    stores, window = tiny_stores(), World(position=4).window(new="wrong")
    few = World(users=5).window(new="wrong")
    for people, asked in ((0, window), (5, few)):
        told, promote = compared(PASSED, asked, live(RIGHT), stores)
        assert promote
        assert (told.shipped, told.numbers) == (PASSED.shipped, PASSED.numbers)
        assert told.sentence == (
            "It is better. It ships. It was not compared with the live release before: since it"
            f" was made {people} people were judged, and 20 are needed."
        )


def test_settings_that_ruin_a_release_do_not_go_live_on_a_log_that_has_not_grown() -> None:
    stores, old = tiny_stores(), World(position=4)
    asked = {name: getattr(stores.settings.training, name) for name in ASKED}
    good = old.window(new="right").level
    for reached, same, goes in ((good, asked, False), (good, asked | {"horizon": 99}, True)):
        before = live(RIGHT)
        told = {"training": same}
        manifest = structs.replace(before.manifest, metrics={SHIPPED: reached}, settings=told)
        before = replace(before, manifest=manifest)
        verdict, promote = compared(PASSED, old.window(new="wrong"), before, stores)
        assert promote == goes
        assert ("the live one stays" in verdict.sentence) == (not goes)
        assert compared(PASSED, old.window(new="right"), before, stores)[1], "as good as before"


def test_a_live_ranker_whose_features_are_gone_is_not_compared_and_that_is_said() -> None:
    ranker = SimpleNamespace(features=("gone",))
    before = replace(live(RIGHT), ranker=ranker)
    told, promote = compared(PASSED, World().window(new="wrong"), before, tiny_stores())
    assert promote
    assert "was not compared with the live release before: it reads features" in told.sentence


def test_where_fusion_shows_next_to_nothing_new_nothing_new_is_given_up() -> None:
    limits, own = GateSettings(), Breadth(90.0, 0.8, 0.0)
    assert guarded(PASSED, (own, Breadth(100.0, 0.8, 0.0004)), {}, limits).shipped
    assert not guarded(PASSED, (own, Breadth(100.0, 0.8, 0.004)), {}, limits).shipped

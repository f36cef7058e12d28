from typing import Any

import pytest

from palate.console.story import story
from palate.console.words import GENERATORS, RULES
from palate.errors import NotFound
from palate.funnel.stages import name_of
from palate.settings import SiteSettings
from palate.surfaces.home import home
from palate.surfaces.more_like_this import more_like_this
from palate.surfaces.trending import trending
from palate.testing.tiny import tiny_stores

SITE = SiteSettings(nouns="films", viewed="watched")


def trace(surface: str = "home", **item: Any) -> dict[str, Any]:
    entry = {
        "item_id": "1",
        "title": "The Matrix",
        "position": 3,
        "score": 0.5,
        "ranker_score": 0.4,
        "ranker_rank": 7,
        "propensity": 0.01,
        "explore": False,
        "reason": {"text": "Because you watched Alien"},
        "found_by": [{"generator": "two_tower", "score": 0.25, "rank": 4}],
        "heads": {"view": 0.124},
        "rules": [{"rule": "boost_fresh", "before": 7, "after": 3}],
        "features": [{"name": "covisit_rank", "value": 4.0, "contribution": -0.02}],
    }
    return {
        "recommendation_id": "r",
        "surface": surface,
        "release": "none",
        "total_ms": 3.21,
        "candidates": 500,
        "removed": {"filter.hide_seen": 12},
        "skipped": {"generate.fresh": "late"},
        "stages": [{"name": "generate.covisit", "entered": 0, "left": 90, "ms": 0.4}],
        "remarks": ["a remark"],
        "items": [entry | item],
    }


def test_the_path_leads_from_the_pool_to_the_place_on_the_page() -> None:
    told = story(trace(), "1", SITE)
    assert told.title == "The Matrix"
    assert [number for number, _ in told.path] == ["500", "1", "#7", "#3"]


def test_generators_rules_and_features_are_told_in_words() -> None:
    told = story(trace(), "1", SITE)
    [found] = told.found_by
    assert (found.label, found.rank, found.score) == ("Learnt likeness", 4, "0.25")
    assert told.rules == (
        "The push for what is new moved it up, from 7 to 3",
        "Of the films proposed, these were left out: 12 that you have had already",
        "Generate: fresh was skipped: late",
    )
    [feature] = told.features
    assert (feature.label, feature.says) == ("How high “Chosen together” ranked it", "-5 %")
    assert [(head.label, head.says) for head in told.heads] == [("Watched", "12 %")]
    assert told.remarks == ("a remark",)


def test_a_row_about_one_item_says_what_goes_with_that_item() -> None:
    [found] = story(trace("more_like_this"), "1", SITE).found_by
    assert found.looks_for == "close to the one the row is about, in what was learnt"
    [found] = story(trace("home"), "1", SITE).found_by
    assert found.looks_for == "close to your latest acts in what was learnt"


def test_a_slot_given_to_chance_says_so_with_its_probability() -> None:
    told = story(trace(explore=True, rules=[], ranker_rank=None, ranker_score=None), "1", SITE)
    assert told.rules[0] == "It got this place by chance, in order to learn (probability 1 %)"
    assert told.score == ""
    assert told.features == ()


@pytest.mark.parametrize(("contribution", "small"), [(0.0039, True), (-0.0041, False)])
def test_a_part_below_a_hundredth_of_the_score_is_one_for_the_details(
    contribution: float,
    *,
    small: bool,
) -> None:
    feature = {"name": "x", "meaning": "Since when; 0 for never", "value": 1.0}
    told = story(trace(features=[feature | {"contribution": contribution}]), "1", SITE)
    assert [(each.label, each.small) for each in told.features] == [("Since when", small)]


def test_features_whose_part_is_unknown_are_not_shown() -> None:
    features = [{"name": "x", "value": 1.0, "contribution": None}]
    assert story(trace(features=features), "1", SITE).features == ()


def test_an_item_that_was_not_in_the_slate_has_no_story() -> None:
    with pytest.raises(NotFound, match="was not in recommendation"):
        story(trace(), "2", SITE)


def test_every_generator_and_rule_of_ours_has_plain_words() -> None:
    asked = {
        name_of(generator)
        for surface in (home, more_like_this, trending)
        for generator in surface(tiny_stores()).generators
    }
    assert asked <= set(GENERATORS)
    assert {name_of(rule) for rule in home(tiny_stores()).rules} <= set(RULES)

from typing import Any

import pytest

from palate.console.story import story
from palate.errors import NotFound


def trace(**item: Any) -> dict[str, Any]:
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
        "heads": {"click": 0.125},
        "rules": [{"rule": "boost_fresh", "before": 7, "after": 3}],
        "features": [{"name": "covisit_rank", "value": 4.0, "contribution": -0.02}],
    }
    return {
        "recommendation_id": "r",
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
    told = story(trace(), "1")
    assert told.title == "The Matrix"
    assert [number for number, _ in told.path] == ["500", "1", "#7", "#3"]


def test_generators_rules_and_features_are_told_in_words() -> None:
    told = story(trace(), "1")
    assert told.found_by[0][0::2] == ("two tower", 4)
    assert told.rules == ("boost fresh moved it up, from 7 to 3",)
    assert told.features == (("covisit rank", "4", "-0.0200"),)
    assert told.heads == (("click", "12.5%", 0.125),)
    assert told.removed == (("filter: hide seen", 12),)
    assert told.remarks == ("a remark", "generate: fresh was skipped: late")


def test_a_slot_given_to_chance_says_so_with_its_probability() -> None:
    told = story(trace(explore=True, rules=[], ranker_rank=None, ranker_score=None), "1")
    assert told.rules == ("It got this slot by chance, in order to learn (probability 0.010)",)
    assert told.score == ""


def test_features_whose_part_is_unknown_are_not_shown() -> None:
    assert (
        story(trace(features=[{"name": "x", "value": 1.0, "contribution": None}]), "1").features
        == ()
    )


def test_an_item_that_was_not_in_the_slate_has_no_story() -> None:
    with pytest.raises(NotFound, match="was not in recommendation"):
        story(trace(), "2")

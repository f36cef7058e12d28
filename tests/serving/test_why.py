"""`GET /v1/why/{surface}`: any visitor, any item, and the stage at which it was lost."""

from typing import Any

import pytest
from tests.serving.conftest import Json, SmallSite
from tests.serving.test_trace_of_network import ranked

__all__ = ["ranked"]


def why(site: SmallSite, item_id: str, surface: str = "home", **query: Any) -> Json:
    answer = site.client.get(f"/v1/why/{surface}", params={"item_id": item_id} | query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_item_that_is_shown_says_where_and_why(site: SmallSite) -> None:
    found = why(site, "comedy-8", user_id="u1", limit=20)
    assert found["stage"] == "shown"
    assert found["position"] >= 1
    assert found["reason"]["text"]
    assert found["visitor"] == "user:u1"
    assert (found["cure"], found["then"], found["costs"]) == ("", "", [])


def test_an_item_that_ranked_too_low_says_what_it_lacks(site: SmallSite) -> None:
    found = why(site, "horror-2", user_id="u1", limit=3)
    assert found["stage"] in {"rank", "rule"}
    low = next(
        each
        for n in range(9)
        if (each := why(site, f"horror-{n}", user_id="u1", limit=3))["stage"] == "rank"
    )
    assert low["ranked"] > 3
    assert low["score"] <= low["bar"]
    assert low["costs"][0]["name"].endswith(" rank")
    assert low["costs"][0]["cost"] >= low["costs"][-1]["cost"] > 0
    assert "a score of" in low["cure"]


def test_with_a_network_the_features_are_told_that_cost_most(ranked: SmallSite) -> None:
    found = [why(ranked, f"horror-{n}", user_id="u1", limit=3) for n in range(9)]
    low = next(each for each in found if each["stage"] == "rank" and each["costs"])
    assert low["costs"][0]["name"] in {"covisit_score", "covisit_rank", *POPULAR}
    assert low["costs"][0]["meaning"]


POPULAR = ("popular_score", "popular_rank")


def test_a_blocked_item_names_the_rule_and_what_becomes_of_it_without(site: SmallSite) -> None:
    rule = {"id": "no-comedy", "kind": "block", "items": ["comedy-8"]}
    assert site.client.post("/v1/rules", json=rule).status_code == 201
    found = why(site, "comedy-8", user_id="u1", limit=20)
    assert (found["stage"], found["part"]) == ("filter", "block:no-comedy")
    assert "'no-comedy'" in found["cure"]
    assert found["then"].startswith("without that: it is shown at position ")


def test_a_rule_that_took_the_place_is_named_by_its_own_name(site: SmallSite) -> None:
    site.client.post(
        "/v1/rules", json={"id": "few", "kind": "at_most", "of": "categories", "cap": 1}
    )
    stages = [why(site, f"comedy-{n}", user_id="u1", limit=4) for n in range(9)]
    lost = [each for each in stages if each["stage"] == "rule" and each["part"] == "in_window:few"]
    assert lost
    assert all("in_window:few" in each["sentence"] for each in lost)


def test_a_filter_of_the_request_counts(site: SmallSite) -> None:
    found = why(site, "comedy-8", user_id="u1", filter='"drama" in categories')
    assert (found["stage"], found["part"]) == ("excluded", "filter")
    assert found["then"].startswith("without that: ")


def test_the_context_of_the_request_counts_with_its_filter_seed_and_exclusions(
    site: SmallSite,
) -> None:
    rule = {
        "id": "tv",
        "kind": "block",
        "items": ["comedy-8"],
        "audience": 'has(context.device) and context.device == "tv"',
    }
    assert site.client.post("/v1/rules", json=rule).status_code == 201
    ask = {"user_id": "u1", "item_id": "comedy-8", "limit": 20}
    plain = posted(site, ask)
    asked = why(site, "comedy-8", user_id="u1", limit=20)
    assert plain.keys() == asked.keys()
    assert plain["stage"] == asked["stage"] == "shown"
    assert plain["position"] == asked["position"]
    blocked = posted(site, ask | {"context": {"device": "tv"}})
    assert (blocked["stage"], blocked["part"]) == ("filter", "block:tv")
    excluded = posted(site, ask | {"exclude": ["comedy-8"]})
    assert (excluded["stage"], excluded["part"]) == ("excluded", "exclude")
    narrow = {"filter": "context.genre in categories", "context": {"genre": "drama"}}
    filtered = posted(site, ask | narrow)
    assert (filtered["stage"], filtered["part"]) == ("excluded", "filter")
    screen = {"item_id": "space-1", "seed_item_id": "space-1"}
    assert posted(site, screen, "more_like_this")["part"] == "hide_seed"


def posted(site: SmallSite, body: Json, surface: str = "home") -> Json:
    answer = site.client.post(f"/v1/why/{surface}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"item_id": "comedy-1", "context": 3}, "/context"),
        ({"user_id": "u1"}, "/item_id"),
        ({"item_id": "comedy-1", "limit": 0}, "/limit"),
        ({"item_id": "comedy-1", "sort": "up"}, "/sort"),
    ],
)
def test_a_body_that_is_wrong_names_the_field(site: SmallSite, body: Json, pointer: str) -> None:
    answer = site.client.post("/v1/why/home", json=body)
    assert answer.status_code == 422, answer.text
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


def test_a_missing_item_on_screen_is_named_as_such(site: SmallSite) -> None:
    answer = site.client.post("/v1/why/more_like_this", json={"item_id": "comedy-1"})
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/seed_item_id"]


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/v1/why/home?item_id=nothing", 404, "no item 'nothing'"),
        ("/v1/why/hom?item_id=comedy-1", 404, "no surface 'hom'"),
        ("/v1/why/home?item_id=", 422, "which item?"),
        ("/v1/why/more_like_this?item_id=comedy-1", 422, "more_like_this needs the item"),
        ("/v1/why/home", 422, "item_id"),
    ],
)
def test_what_is_missing_is_named(site: SmallSite, path: str, status: int, told: str) -> None:
    answer = site.client.get(path)
    assert answer.status_code == status, answer.text
    assert told in answer.text


def test_the_item_on_screen_is_named_apart(site: SmallSite) -> None:
    found = why(site, "space-1", "more_like_this", seed_item_id="space-1")
    assert (found["stage"], found["part"]) == ("filter", "hide_seed")

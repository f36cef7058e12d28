from collections.abc import Callable
from typing import Any

import pytest
from tests.serving.conftest import SmallSite

UNSEEN = {"user_id": "u0", "region": "DE", "age": 40}


def ids(body: dict[str, Any]) -> list[str]:
    return [entry["item_id"] for entry in body["items"]]


def test_a_page_has_the_form_that_others_rely_on(site: SmallSite) -> None:
    body = site.slate(user_id="u0", limit=5)
    assert set(body) == {
        "recommendation_id",
        "surface",
        "release",
        "step",
        "items",
        "anchor",
        "next",
        "timing",
    }
    assert (body["surface"], body["step"], body["release"]) == ("home", "full", "none")
    assert [entry["position"] for entry in body["items"]] == [1, 2, 3, 4, 5]
    assert set(body["items"][0]) == {"item_id", "position", "score", "reason", "explore"}
    reason = {"kind", "text", "item_ids", "weights", "trait", "generator", "rule"}
    assert set(body["items"][0]["reason"]) == reason
    assert body["timing"]["total_ms"] > 0
    assert "rank" in body["timing"]["stages"]


def test_a_user_of_one_genre_is_shown_that_genre(site: SmallSite) -> None:
    first = ids(site.slate(limit=2, **UNSEEN))
    assert {each.partition("-")[0] for each in first} == {"action"}


def test_a_visitor_without_a_name_gets_a_page_and_leaves_no_trace_in_the_log(
    site: SmallSite,
) -> None:
    before = site.stores.log.count()
    assert len(ids(site.slate(limit=5))) == 5
    site.client.__exit__()
    assert site.stores.log.count() == before
    site.client.__enter__()


def test_one_click_makes_a_new_visitors_page_personal(site: SmallSite) -> None:
    before = site.slate(session_id="s1", limit=10)
    site.send({"kind": "click", "session_id": "s1", "item_id": "horror-1"})
    after = site.slate(session_id="s1", limit=10)
    assert ids(before) != ids(after)
    assert any(
        entry["reason"]["item_ids"] == ["horror-1"] and "Horror" in entry["reason"]["text"]
        for entry in after["items"]
    )


def test_pages_neither_repeat_nor_skip_and_come_to_an_end(site: SmallSite) -> None:
    seen: list[str] = []
    positions: list[int] = []
    cursor = ""
    for _ in range(20):
        body = site.slate(user_id="u5", limit=7, **({"cursor": cursor} if cursor else {}))
        seen += ids(body)
        positions += [entry["position"] for entry in body["items"]]
        cursor = body["next"]
        if cursor is None:
            break
    assert cursor is None
    assert len(seen) == len(set(seen))
    assert positions == list(range(1, len(seen) + 1))
    allowed = site.slate(user_id="u5", limit=100)
    assert set(seen) == set(ids(allowed))


def test_a_foreign_or_broken_cursor_is_refused_by_name(site: SmallSite) -> None:
    cursor = site.slate(user_id="u5", limit=3)["next"]
    for query in ({"user_id": "u6", "cursor": cursor}, {"user_id": "u5", "cursor": "nonsense"}):
        answer = site.client.get("/v1/recommendations/home", params=query)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "cursor"


def test_a_bound_on_what_pages_hold_back_ends_them(site_of: Callable[..., SmallSite]) -> None:
    site = site_of(max_excluded=10)
    first = site.slate(user_id="u5", limit=6)
    assert site.slate(user_id="u5", limit=6, cursor=first["next"])["next"] is None


def test_excluded_items_stay_away_on_the_next_page_too(site: SmallSite) -> None:
    everything = ids(site.slate(user_id="u0", limit=8))
    ask = {"surface": "home", "user_id": "u0", "limit": 3, "exclude": [*everything[:3], "nobody"]}
    first = site.client.post("/v1/recommendations", json=ask).json()
    rest = site.slate(user_id="u0", limit=50, cursor=first["next"])
    assert not set(everything[:3]) & set(ids(first) + ids(rest))


def test_the_surface_of_a_post_stands_in_path_or_body_or_is_home(site: SmallSite) -> None:
    def asked(path: str, **body: Any) -> Any:
        return site.client.post(f"/v1/recommendations{path}", json=body)

    assert asked("").json()["surface"] == "home"
    assert asked("", surface="trending").json()["surface"] == "trending"
    assert asked("/trending").json()["surface"] == "trending"
    assert asked("/trending", surface="home").status_code == 422


def test_more_like_this_is_about_the_item_named(site: SmallSite) -> None:
    body = site.slate("more_like_this", item_id="space-1", limit=4)
    assert body["anchor"] == "space-1"
    assert "space-1" not in ids(body)
    assert {each.partition("-")[0] for each in ids(body)[:2]} == {"space"}


def test_because_you_watched_says_what_it_is_about(site: SmallSite) -> None:
    body = site.slate("because_you_watched", user_id="u2", limit=4)
    assert body["anchor"].startswith("drama")


def test_a_like_between_two_pages_does_not_change_what_they_are_about(site: SmallSite) -> None:
    first = site.slate("because_you_watched", user_id="u2", limit=4)
    liked = next(i for i in ("drama-1", "drama-2") if i != first["anchor"])
    site.send({"kind": "like", "user_id": "u2", "item_id": liked})
    again = site.slate("because_you_watched", user_id="u2", limit=4)
    second = site.slate("because_you_watched", user_id="u2", limit=4, cursor=first["next"])
    assert again["anchor"] == liked
    assert second["anchor"] == first["anchor"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"age": -1}, "age"),
        ({"age": "9" * 20}, "age"),
        ({"user_id": "a\nb"}, "user_id"),
        ({"user_id": "u" * 1025}, "user_id"),
        ({"session_id": "\x7f"}, "session_id"),
        ({"item_id": "\x00"}, "item_id"),
        ({"region": "D\tE"}, "region"),
        ({"region": "D" * 65}, "region"),
        ({"limit": ["1", "2"]}, "limit"),
        ({"user_id": ["u1", "u1"]}, "user_id"),
        ({"usr_id": "u1"}, "usr_id"),
    ],
)
def test_a_wrong_parameter_is_named(site: SmallSite, query: dict[str, Any], pointer: str) -> None:
    answer = site.client.get("/v1/recommendations/home", params=query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


def test_a_wrong_type_comes_with_its_cure(site: SmallSite) -> None:
    answer = site.client.get("/v1/recommendations/home", params={"limit": "many", "age": "old"})
    assert answer.json()["errors"] == [
        {"pointer": "limit", "problem": "a whole number is wanted, not 'many'"},
        {"pointer": "age", "problem": "a whole number is wanted, not 'old'"},
    ]


@pytest.mark.parametrize(
    ("body", "pointer", "problem"),
    [
        ('{"limit": "x"}', "/limit", "a whole number is wanted, not a string"),
        ('{"limit": 0}', "/limit", "0 is not between 1 and 100"),
        ('{"limit": 1e999}', "/limit", "a whole number is wanted, not a number"),
        ('{"limits": 1}', "/limits", "there is no such field; leave it out"),
        ('{"exclude": ["a", 1]}', "/exclude/1", "a string is wanted, not a number"),
        ('{"exclude": ["a", "\\u0000"]}', "/exclude/1", "an id must not hold control characters"),
        ('{"user_id": "\\u0000"}', "/user_id", "an id must not hold control characters"),
        ('{"context": {"a": 1e999}}', "/context", "numbers must be finite"),
        ('{"context": {"a": 99999999999999999999}}', "/context", "whole numbers must fit 64 bits"),
        ("{", "", "the body is not JSON"),
    ],
)
def test_a_wrong_field_of_a_body_is_named_with_its_cure(
    site: SmallSite, body: str, pointer: str, problem: str
) -> None:
    answer = site.client.post("/v1/recommendations/home", content=body)
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["problem"][: len(problem)]) == (pointer, problem)


def test_nothing_that_is_no_id_reaches_the_log(site: SmallSite) -> None:
    before = site.stores.log.count()
    for query in ({"user_id": "a\x00b"}, {"session_id": "s" * 2000}):
        site.client.get("/v1/recommendations/home", params=query)
    site.settle()
    assert site.stores.log.count() == before


def test_a_typo_gets_help(site: SmallSite) -> None:
    answer = site.client.get("/v1/recommendations/home", params={"usr_id": "u1"})
    assert "did you mean user_id?" in answer.json()["detail"]


def test_what_is_not_there_is_404(site: SmallSite) -> None:
    assert "trending" in site.client.get("/v1/recommendations/nowhere").json()["detail"]
    unknown = site.client.get("/v1/recommendations/more_like_this", params={"item_id": "x"})
    assert unknown.status_code == 404
    needs = site.client.get("/v1/recommendations/more_like_this")
    assert (needs.status_code, needs.json()["errors"][0]["pointer"]) == (422, "item_id")


def test_the_profile_gives_region_and_age(site: SmallSite) -> None:
    """romance-9 is for DE and FR, horror-9 from 18 years; u1 is an American of 1961."""
    everything = ids(site.slate(user_id="u1", limit=100))
    assert "romance-9" not in everything
    assert "horror-9" in everything
    in_germany = ids(site.slate(user_id="u1", limit=100, region="DE", age=17))
    assert "romance-9" in in_germany
    assert "horror-9" not in in_germany


def test_a_changed_profile_counts_at_once(site: SmallSite) -> None:
    assert "romance-9" not in ids(site.slate(user_id="u1", limit=100))
    site.client.patch("/v1/users/u1", json={"country": "FR"})
    assert "romance-9" in ids(site.slate(user_id="u1", limit=100))


def test_a_hidden_item_is_gone_once_the_stream_has_seen_it(site: SmallSite) -> None:
    shown = ids(site.slate(user_id="u0", limit=1))[0]
    site.client.patch(f"/v1/items/{shown}", json={"hidden": True})
    site.worker.drain()
    assert shown not in ids(site.slate(user_id="u0", limit=100))


def test_a_new_title_is_in_the_reasons_soon(site: SmallSite) -> None:
    site.send({"kind": "click", "session_id": "s9", "item_id": "space-1"})
    assert "Space Ship" in str(site.slate(session_id="s9"))
    site.client.patch("/v1/items/space-1", json={"title": "Solaris"})
    site.worker.drain()
    site.tick()
    assert "Because you opened Solaris" in str(site.slate(session_id="s9"))


def test_an_item_that_is_not_known_yet_becomes_known(site: SmallSite) -> None:
    missing = {"item_id": "late-1"}
    assert site.client.get("/v1/recommendations/more_like_this", params=missing).status_code == 404
    site.client.put("/v1/items/late-1", json={"title": "Late", "categories": ["drama"]})
    site.worker.drain()
    assert site.slate("more_like_this", **missing)["anchor"] == "late-1"


def test_impressions_are_logged_with_position_and_propensity(site: SmallSite) -> None:
    body = site.slate(user_id="u3", session_id="s3", limit=4)
    site.settle()
    [event] = site.logged(recommendation_id=body["recommendation_id"])
    assert (event.user_id, event.session_id, event.surface) == ("u3", "", "home")
    assert [shown.item_id for shown in event.items] == ids(body)
    assert [shown.position for shown in event.items] == [1, 2, 3, 4]
    assert all(0 < shown.propensity <= 1 for shown in event.items)
    assert [shown.explore for shown in event.items] == [e["explore"] for e in body["items"]]

"""What a visitor does now changes the very next page: over HTTP, each sign for itself."""

import pytest
from tests.serving.conftest import SmallSite

WHO = {"session_id": "now"}
SURFACES = ("home", "trending", "new_for_you")


def ids(site: SmallSite, surface: str = "home", limit: int = 60) -> list[str]:
    return [entry["item_id"] for entry in site.slate(surface, **WHO, limit=limit)["items"]]


def certain(site: SmallSite, limit: int = 10) -> list[str]:
    page = site.slate(**WHO, limit=limit)["items"]
    return [entry["item_id"] for entry in page if not entry["explore"]]


@pytest.mark.parametrize("kind", ["skip", "dislike", "hide"])
@pytest.mark.parametrize("surface", SURFACES)
def test_what_was_turned_down_is_gone_at_once(site: SmallSite, kind: str, surface: str) -> None:
    first = ids(site, surface)[0]
    site.send({**WHO, "kind": kind, "item_id": first})
    assert first not in ids(site, surface)


def test_a_low_rating_is_a_no_and_is_gone(site: SmallSite) -> None:
    first = ids(site, "trending")[0]
    site.send({**WHO, "kind": "rating", "item_id": first, "value": 1.0})
    assert first not in ids(site, "trending")


def test_what_is_turned_down_takes_its_reasons_with_it(site: SmallSite) -> None:
    site.send({**WHO, "kind": "click", "item_id": "horror-1"})
    because = [e for e in site.slate(**WHO)["items"] if "horror-1" in e["reason"]["item_ids"]]
    assert because
    site.send({**WHO, "kind": "dislike", "item_id": "horror-1"})
    after = site.slate(**WHO)["items"]
    assert not [e for e in after if "horror-1" in e["reason"]["item_ids"]]
    horrors = [sum(n.startswith("horror") for n in certain(site))]
    assert horrors[0] <= len(because)


@pytest.mark.parametrize("surface", SURFACES)
def test_a_creator_that_was_hidden_is_gone_everywhere_and_can_come_back(
    site: SmallSite, surface: str
) -> None:
    makers = {name: _creator(site, name) for name in ids(site, surface)}
    whom = next(iter(makers.values()))
    told = {"properties": {"creator_id": whom}}
    site.send({**WHO, "kind": "hide", **told})
    assert whom not in {_creator(site, name) for name in ids(site, surface)}
    site.send({**WHO, "kind": "unfollow", **told})
    assert whom in {_creator(site, name) for name in ids(site, surface)}


def test_a_creator_who_has_no_item_yet_is_hidden_when_the_first_one_comes(site: SmallSite) -> None:
    answer = site.send({**WHO, "kind": "hide", "properties": {"creator_id": "nobody-yet"}})
    assert answer["accepted"] == 1, "as an event on an item that is not there"
    first = ids(site)[0]
    item = {"title": "Late", "creator_id": "nobody-yet", "categories": ["comedy"]}
    assert site.client.put("/v1/items/late", json=item).status_code in {200, 201}
    site.worker.drain()
    assert first in ids(site)
    asked = {**WHO, "item_id": "late", "limit": 40}
    assert site.client.get("/v1/why/home", params=asked).json()["part"] == "hide_muted"


def test_hiding_a_creator_hides_no_item_of_others_and_says_why_not(site: SmallSite) -> None:
    first = ids(site)[0]
    whom = _creator(site, first)
    others = {name for name in ids(site) if _creator(site, name) != whom}
    site.send({**WHO, "kind": "hide", "properties": {"creator_id": whom}})
    assert others <= set(ids(site))
    answer = site.client.get("/v1/why", params={**WHO, "item_id": first, "surface": "home"})
    if answer.status_code == 200:
        assert "hid its creator" in answer.text


def test_a_hide_needs_an_item_or_a_creator(site: SmallSite) -> None:
    answer = site.client.post("/v1/events", json={"events": [{**WHO, "kind": "hide"}]})
    assert answer.status_code == 422


def test_what_was_shown_often_and_never_touched_makes_room(site: SmallSite) -> None:
    user = {"user_id": "tired"}
    site.send({**user, "kind": "view", "item_id": "drama-1", "value": 1.0})

    def page() -> list[str]:
        answer = site.slate(**user, limit=5)["items"]
        return [entry["item_id"] for entry in answer if not entry["explore"]]

    first = page()
    for _ in range(6):
        page()
        site.settle()
        site.worker.drain()
    assert page()[0] != first[0], "the top has been passed over six times"
    assert set(page()) != set(first)


def _creator(site: SmallSite, item_id: str) -> str:
    return str(site.client.get(f"/v1/items/{item_id}").json()["creator_id"])

"""What is as long, as many or as deep as may be, from end to end."""

from urllib.parse import quote

import pytest
from tests.serving.conftest import SmallSite

from palate.events.kinds import Kind

LONGEST = 1_024
NAMES = ["x", "é", "🎬", "k" * LONGEST, "й" * (LONGEST // 2), "🎬" * (LONGEST // 4), "a/b?c#d%e"]
SHORT = [f"{len(name.encode())} bytes" for name in NAMES]


@pytest.mark.parametrize("name", NAMES, ids=SHORT)
def test_an_id_of_any_length_goes_all_the_way_round(site: SmallSite, name: str) -> None:
    path = quote(name, safe="")
    item = {"title": "Of any name", "categories": ["odd"]}
    assert site.client.put(f"/v1/items/{path}", json=item).status_code < 300
    assert site.client.get(f"/v1/items/{path}").json()["item_id"] == name
    site.send({"kind": "like", "user_id": name, "item_id": name})
    site.send(*({"kind": "like", "user_id": f"o{n}", "item_id": name} for n in range(20)))
    page = site.slate("trending", user_id="o-other", limit=100)
    assert name in [entry["item_id"] for entry in page["items"]]
    about = site.slate("more_like_this", item_id=name, user_id=name, limit=5)
    assert about["anchor"] == name
    site.settle()
    trace = site.client.get(f"/v1/traces/{page['recommendation_id']}")
    assert trace.status_code == 200, trace.text
    why = site.client.get("/v1/why/home", params={"user_id": name, "item_id": name})
    assert why.status_code == 200, why.text
    assert site.client.delete(f"/v1/users/{path}").status_code < 300
    assert site.client.delete(f"/v1/items/{path}").status_code < 300


def test_a_byte_more_is_refused_wherever_it_stands(site: SmallSite) -> None:
    name = "x" * (LONGEST + 1)
    told = [
        site.client.put(f"/v1/items/{name}", json={"title": "a"}),
        site.client.post("/v1/events", json=[{"kind": "like", "user_id": name, "item_id": "a"}]),
        site.client.post("/v1/events", json=[{"kind": "like", "user_id": "a", "item_id": name}]),
        site.client.get("/v1/recommendations/home", params={"user_id": name}),
        site.client.get("/v1/recommendations/more_like_this", params={"item_id": name}),
    ]
    assert [answer.status_code for answer in told] == [422] * len(told)


def test_an_item_in_every_category_is_an_item(site: SmallSite) -> None:
    many = [f"category {n}" for n in range(10_000)]
    answer = site.client.put("/v1/items/everything", json={"title": "E", "categories": many})
    assert answer.status_code in {200, 201, 204, 422}, answer.text
    if answer.status_code == 422:
        assert "categories" in answer.json()["errors"][0]["pointer"]
    site.worker.drain()
    site.tick()
    assert site.slate(user_id="u1", limit=5)["items"]


def test_a_user_with_a_long_life_is_answered_and_forgotten(site: SmallSite) -> None:
    kinds = ("view", "like", "click")
    for at in range(0, 5_000, 1_000):
        body = [
            {"kind": kinds[n % 3], "user_id": "busy", "item_id": f"drama-{n % 9 + 1}"}
            for n in range(at, at + 1_000)
        ]
        assert site.client.post("/v1/events", json=body).status_code == 202
    site.worker.drain()
    page = site.slate(user_id="busy", limit=5)
    assert page["items"]
    assert page["step"] == "full"
    with site.followed():
        assert site.client.delete("/v1/users/busy").status_code < 300
    assert site.slate(user_id="busy", limit=5)["items"]
    left = site.logged(user_id="busy")
    assert {event.kind for event in left} <= {Kind.FORGET}

from collections.abc import Callable

from litestar.testing import TestClient
from tests.serving.conftest import SmallSite

from palate.serving.app import create

FILM = {
    "item_id": "m1",
    "title": "Heat",
    "categories": ["drama"],
    "published_at": "1995-12-15T00:00:00Z",
}


def test_put_makes_an_item_that_can_be_read_and_recommended(site: SmallSite) -> None:
    answer = site.client.put("/v1/items/m1", json={"title": "Heat", "categories": ["drama"]})
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "changed": 1})
    assert site.client.get("/v1/items/m1").json()["title"] == "Heat"
    site.worker.drain()
    page = site.slate("more_like_this", item_id="drama-1", limit=20)
    assert "m1" in [entry["item_id"] for entry in page["items"]]


def test_putting_the_same_again_changes_nothing(site: SmallSite) -> None:
    site.client.put("/v1/items/m1", json=FILM)
    assert site.client.put("/v1/items/m1", json=FILM).json() == {"accepted": 1, "changed": 0}


def test_times_come_back_as_they_were_sent(site: SmallSite) -> None:
    site.client.put("/v1/items/m1", json=FILM)
    assert site.client.get("/v1/items/m1").json()["published_at"].startswith("1995-12-15T00:00:00")


def test_another_id_in_the_body_is_refused(site: SmallSite) -> None:
    answer = site.client.put("/v1/items/m2", json=FILM)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/item_id")


def test_a_bulk_is_all_or_nothing(site: SmallSite) -> None:
    wrong = {"items": [FILM, {"item_id": "m2", "min_age": "x"}]}
    answer = site.client.post("/v1/items", json=wrong)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/items/1/min_age"
    assert site.client.get("/v1/items/m1").status_code == 404
    right = {"items": [FILM, {"item_id": "m2"}]}
    assert site.client.post("/v1/items", json=right).json() == {"accepted": 2, "changed": 2}


def test_an_embedding_of_another_width_is_refused_wherever_it_comes_in(site: SmallSite) -> None:
    right, wrong = {"embedding": [1, 2, 3]}, {"embedding": [1, 2]}
    assert site.client.put("/v1/items/m1", json=right).status_code == 200
    assert site.client.put("/v1/items/empty", json={"embedding": []}).status_code == 200
    bulk = {"items": [right | {"item_id": "m2"}, wrong | {"item_id": "m3"}]}
    answers = [
        site.client.put("/v1/items/m3", json=wrong),
        site.client.patch("/v1/items/empty", json=wrong),
        site.client.post("/v1/items", json=bulk),
    ]
    told = [(each.status_code, each.json()["errors"][0]["pointer"]) for each in answers]
    assert told == [(422, "/embedding"), (422, "/embedding"), (422, "/items/1/embedding")]
    assert all("send 3 numbers or none" in each.json()["detail"] for each in answers)
    assert site.client.get("/v1/items/m2").status_code == 404
    assert site.client.put("/v1/items/m1", json=wrong).status_code == 200


def test_too_many_items_are_refused_with_the_number(site_of: Callable[..., SmallSite]) -> None:
    site = site_of(max_items=1)
    answer = site.client.post("/v1/items", json={"items": [FILM, FILM]})
    assert (answer.status_code, "at most 1" in answer.json()["detail"]) == (422, True)
    looked = site.client.get("/v1/items", params={"item_id": ["a", "b"]})
    assert looked.status_code == 422


def test_patch_changes_some_fields_and_leaves_the_rest(site: SmallSite) -> None:
    site.client.put("/v1/items/m1", json=FILM)
    answer = site.client.patch("/v1/items/m1", json={"hidden": True})
    assert answer.json()["hidden"] is True
    assert site.client.get("/v1/items/m1").json() == answer.json()
    assert answer.json()["title"] == "Heat"


def test_a_patch_of_nothing_or_with_nonsense_is_refused(site: SmallSite) -> None:
    assert site.client.patch("/v1/items/nothing", json={"hidden": True}).status_code == 404
    site.client.put("/v1/items/m1", json=FILM)
    assert site.client.patch("/v1/items/m1", json={"hiden": True}).status_code == 422


def test_reading_none_by_id_is_refused_by_name(site: SmallSite) -> None:
    answer = site.client.get("/v1/items")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["errors"] == [
        {"pointer": "item_id", "problem": "it is missing; add ?item_id=…"}
    ]


def test_many_problems_are_counted_in_one_sentence(site: SmallSite) -> None:
    wrong = [{"item_id": "", "min_age": "x"} for _ in range(60)]
    answer = site.client.post("/v1/items", json={"items": wrong}).json()
    assert (len(answer["errors"]), answer["detail"].count("/items/")) == (100, 3)
    assert answer["detail"].endswith("; and 117 more")


def test_delete_forgets(site: SmallSite) -> None:
    assert site.client.delete("/v1/items/drama-1").status_code == 204
    assert site.client.get("/v1/items/drama-1").status_code == 404
    assert site.client.delete("/v1/items/drama-1").status_code == 404
    site.worker.drain()
    page = site.slate("more_like_this", item_id="drama-2", limit=50)
    assert "drama-1" not in [entry["item_id"] for entry in page["items"]]


def test_several_items_are_read_at_once_in_order(site: SmallSite) -> None:
    answer = site.client.get("/v1/items", params={"item_id": ["drama-2", "no", "drama-1"]})
    assert [each["item_id"] for each in answer.json()["items"]] == ["drama-2", "drama-1"]


def test_what_was_hidden_is_not_in_the_next_slate(site: SmallSite) -> None:
    with site.followed():
        for _ in range(5):
            [first, *_] = site.slate(user_id="u1")["items"]
            path = f"/v1/items/{first['item_id']}"
            assert site.client.patch(path, json={"hidden": True}).status_code == 200
            shown = [each["item_id"] for each in site.slate(user_id="u1")["items"]]
            assert first["item_id"] not in shown


def test_what_is_withdrawn_while_the_stream_is_down_is_not_shown_by_any_worker(
    site: SmallSite,
) -> None:
    first, second = (each["item_id"] for each in site.slate(limit=2)["items"])
    with TestClient(create(site.settings, clock=site.clock)) as other:
        assert site.client.delete(f"/v1/items/{first}").status_code == 204
        assert site.client.patch(f"/v1/items/{second}", json={"hidden": True}).status_code == 200
        with other.portal() as portal:
            portal.call(other.app.state["runtime"].tick)
        pages = [site.slate(limit=50), other.get("/v1/recommendations/home?limit=50").json()]
    for page in pages:
        assert page["items"]
        assert not {first, second} & {each["item_id"] for each in page["items"]}
    site.worker.drain()
    assert not {first, second} & {each["item_id"] for each in site.slate(limit=50)["items"]}

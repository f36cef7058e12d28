"""Ids with slashes and worse, over HTTP: what a bulk can store, an address can reach."""

import pytest
from tests.serving.conftest import SmallSite

ADDRESSES = [
    ("shelf/7", "shelf/7"),
    ("shelf/7", "shelf%2F7"),
    ("shelf/7", "shelf%2f7"),
    ("a//b/", "a//b/"),
    ("/a", "%2Fa"),
    ("/a", "/a"),
    ("50% off?#ä", "50%25%20off%3F%23%C3%A4"),
    ("users/u1", "users/u1"),
    ("items/items/i", "items%2Fitems/i"),
]


@pytest.mark.parametrize(("name", "address"), ADDRESSES)
@pytest.mark.parametrize("kind", ["item", "user"])
def test_what_a_bulk_stores_an_address_reaches(
    site: SmallSite, kind: str, name: str, address: str
) -> None:
    path, client = f"/v1/{kind}s/{address}", site.client
    client.post(f"/v1/{kind}s", json={f"{kind}s": [{f"{kind}_id": name}]})
    assert client.get(path).json()[f"{kind}_id"] == name
    assert client.put(path, json={"attributes": {"a": 1}}).json() == {"accepted": 1, "changed": 1}
    assert client.patch(path, json={"attributes": {"b": 2}}).json()["attributes"] == {
        "a": 1,
        "b": 2,
    }
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


def test_addresses_that_the_router_reads_alike_stay_apart(site: SmallSite) -> None:
    for name in ("a/b", "a//b", "a/b/"):
        site.client.put(f"/v1/items/{name}", json={"title": name})
    for name in ("a/b", "a//b", "a/b/", "a//b", "a/b"):
        assert site.client.get(f"/v1/items/{name}").json()["title"] == name


@pytest.mark.parametrize("address", ["a%00b", "a%0Ab", "%FF", "x" * 1025])
def test_an_address_that_is_no_id_is_refused_by_name(site: SmallSite, address: str) -> None:
    for kind in ("item", "user"):
        answer = site.client.put(f"/v1/{kind}s/{address}", json={})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == f"{kind}_id"

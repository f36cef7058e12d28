"""``filter=`` in a request: what passes it is shown, and nothing else."""

from typing import Any

import pytest
from tests.serving.conftest import SmallSite

SURFACES = [("home", {}), ("trending", {}), ("more_like_this", {"item_id": "space-1"})]


def put(site: SmallSite, **items: dict[str, Any]) -> None:
    documents = [{"item_id": name, **fields} for name, fields in items.items()]
    assert site.client.post("/v1/items", json={"items": documents}).status_code == 200
    site.worker.drain()


def ids(page: dict[str, Any]) -> list[str]:
    return [each["item_id"] for each in page["items"]]


@pytest.mark.parametrize(("surface", "query"), SURFACES)
def test_a_narrow_filter_fills_the_page_with_what_passes(
    site: SmallSite, surface: str, query: dict[str, str]
) -> None:
    put(site, **{f"n{n}": {"attributes": {"shelf": "top" if n < 5 else "low"}} for n in range(9)})
    page = site.slate(surface, filter='shelf == "top"', limit=5, **query)
    assert sorted(ids(page)) == [f"n{n}" for n in range(5)]
    assert page["step"] == "full"


def test_pages_of_a_filter_go_on_without_repeating(site: SmallSite) -> None:
    put(site, **{f"n{n}": {"kind": "film"} for n in range(7)})
    first = site.slate(filter='kind == "film"', limit=4)
    rest = site.slate(filter='kind == "film"', limit=4, cursor=first["next"])
    assert sorted(ids(first) + ids(rest)) == [f"n{n}" for n in range(7)]
    other = site.client.get(
        "/v1/recommendations/home", params={"limit": 4, "cursor": first["next"]}
    )
    assert other.status_code == 422


def test_the_visitor_and_the_context_may_be_asked(site: SmallSite) -> None:
    put(site, a={"attributes": {"langs": ["en"]}}, b={"attributes": {"langs": ["de", "en"]}})
    site.client.put("/v1/users/visitor", json={"language": "de"})
    page = site.slate(user_id="visitor", filter="user.language in langs")
    assert ids(page) == ["b"]
    ask = {"filter": "context.lang in langs", "context": {"lang": "en"}, "limit": 9}
    page = site.client.post("/v1/recommendations", json=ask).json()
    assert sorted(ids(page)) == ["a", "b"]
    assert ids(site.slate(filter="user.language in langs")) == []


def test_an_item_that_changes_passes_or_fails_at_once(site: SmallSite) -> None:
    put(site, a={"attributes": {"stock": 3}})
    assert ids(site.slate(filter="stock > 0")) == ["a"]
    put(site, a={"attributes": {"stock": 0}}, b={"attributes": {"stock": 1}})
    assert ids(site.slate(filter="stock > 0")) == ["b"]


@pytest.mark.parametrize(
    ("text", "pointer"),
    [("nothing > 3", "filter:1"), ("min_age >", "filter:10"), ('min_age > "x"', "filter:1")],
)
def test_a_wrong_filter_is_refused_at_its_character(
    site: SmallSite, text: str, pointer: str
) -> None:
    answer = site.client.get("/v1/recommendations/home", params={"filter": text})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["pointer"].strip("/") == pointer
    answer = site.client.post("/v1/recommendations", json={"filter": text})
    assert answer.json()["errors"][0]["pointer"] == f"/{pointer}"

"""Whatever is sent, the answer is no fault of ours: a walk over every operation of the OpenAPI."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar.testing import TestClient
from tests.serving.conftest import SmallSite

from palate.serving.app import create
from palate.settings import FILE, ServingSettings, Settings

WALK = settings(
    max_examples=int(os.environ.get("PALATE_FUZZ", "25")),
    deadline=None,
    derandomize="PALATE_FUZZ" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
"""`PALATE_FUZZ=100000 python -m pytest tests/serving/test_bad_input.py` walks on for long."""

GOLDEN = json.loads(Path(__file__).with_name("golden").joinpath("openapi.json").read_text("utf-8"))
OPERATIONS = [
    (verb, path, told)
    for path, verbs in sorted(GOLDEN["paths"].items())
    for verb, told in sorted(verbs.items())
    if verb in {"get", "put", "post", "patch", "delete"}
]
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
KNOWN = st.sampled_from(
    ["home", "u1", "drama-1", "trending", "more_like_this", "like", "true", "DE", "year > 1"]
)
LONG = st.integers(1, 70).map(lambda n: "ключ🎬" * n)
NUMBER = st.one_of(st.integers(), st.floats(), st.integers(-5, 130))
WORD = st.one_of(KNOWN, TEXT, LONG, NUMBER.map(str))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBER, WORD),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(TEXT, KNOWN), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = sorted(
    {
        name
        for kind in GOLDEN["components"]["schemas"].values()
        for name in kind.get("properties", ())
    }
)
DOCUMENT = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6)
BODY = st.one_of(
    DOCUMENT.map(lambda each: json.dumps(each).encode()),
    st.lists(DOCUMENT, max_size=3).map(lambda all_: json.dumps({"events": all_}).encode()),
    st.lists(DOCUMENT, max_size=3).map(lambda all_: json.dumps({"items": all_}).encode()),
    JSON.map(lambda each: json.dumps(each).encode()),
    st.binary(max_size=60),
    st.integers(1, 3_000).map(lambda deep: b"[" * deep + b"]" * deep),
    st.integers(1, 3_000).map(lambda deep: b'{"a":' * deep + b"1" + b"}" * deep),
)


def sound(status: int, content_type: str, text: str) -> bool:
    """Either done, or a problem that says what is wrong."""
    if status >= 500:
        return False
    problem = content_type.startswith("application/problem+json")
    return status < 400 or (problem and bool(json.loads(text)["detail"]))


@pytest.mark.parametrize(
    ("verb", "path", "told"), OPERATIONS, ids=[f"{verb} {path}" for verb, path, _ in OPERATIONS]
)
def test_no_question_is_a_fault_of_ours(
    site: SmallSite, verb: str, path: str, told: dict[str, Any]
) -> None:
    names = [each["name"] for each in told.get("parameters", ()) if each["in"] == "query"]
    places = [each["name"] for each in told.get("parameters", ()) if each["in"] == "path"]

    @WALK
    @given(
        st.dictionaries(st.sampled_from(names or ["none"]), WORD, max_size=4),
        st.fixed_dictionaries(dict.fromkeys(places, WORD)),
        BODY,
    )
    def walk(query: dict[str, str], inside: dict[str, str], body: bytes) -> None:
        where = path
        for name, value in inside.items():
            where = where.replace("{" + name + "}", quote(value or "x", safe=""))
        content = body if "requestBody" in told else None
        url = f"{where}?{urlencode(query)}" if query else where
        answer = site.client.request(verb, url, content=content)
        kind = answer.headers.get("content-type", "")
        assert sound(answer.status_code, kind, answer.text), (answer.status_code, answer.text)

    walk()


@WALK
@given(st.text(st.sampled_from(list('abyz09 .<>=!"()[]-,andortinulxe\\\n\0é')), max_size=120))
def check_filter(site: SmallSite, text: str) -> None:
    answer = site.client.get("/v1/recommendations/home", params={"filter": text})
    assert sound(answer.status_code, answer.headers["content-type"], answer.text), answer.text


def test_no_filter_is_a_fault_of_ours(site: SmallSite) -> None:
    check_filter(site)
    for text in ("(" * 5_000, "not " * 5_000 + "hot", "year > 1 and " * 5_000 + "hot"):
        answer = site.client.post("/v1/recommendations/home", json={"filter": text})
        assert answer.status_code == 422


@pytest.mark.parametrize("name", ["x", "й" * 512, "🎬" * 256, "a b/c?d#e%f&g", "'; drop table--"])
def test_ids_may_be_anything_up_to_a_kilobyte(site: SmallSite, name: str) -> None:
    item = f"{name}"
    put = site.client.put(f"/v1/items/{quote(item, safe='')}", json={"title": "a"})
    assert put.status_code in {200, 201, 204}, put.text
    site.send({"kind": "like", "user_id": name, "item_id": item})
    assert site.slate(user_id=name, limit=5)["items"]
    assert site.slate("more_like_this", item_id=item, limit=5)["step"]


def test_longer_ids_are_refused_by_name(site: SmallSite) -> None:
    answer = site.client.get("/v1/recommendations/home", params={"user_id": "x" * 1_025})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "user_id"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[[], TestClient[Any]]]:
    """A site without anything."""
    (tmp_path / FILE).touch()
    settings = Settings(home=tmp_path, serving=ServingSettings(budget_ms=0.0))
    with TestClient(create(settings), raise_server_exceptions=False) as client:
        yield client


def test_a_catalogue_of_none_and_of_one(small: TestClient[Any]) -> None:
    for surface in ("home", "trending", "new_for_you", "continue_watching", "because_you_watched"):
        answer = small.get(f"/v1/recommendations/{surface}", params={"user_id": "u"})
        assert (answer.status_code, answer.json()["items"]) == (200, []), surface
    assert small.get("/v1/pages/home", params={"user_id": "u"}).status_code == 200
    assert small.put("/v1/items/one", json={"title": "The only one"}).status_code < 300
    for surface in ("home", "trending", "new_for_you"):
        answer = small.get(f"/v1/recommendations/{surface}", params={"user_id": "u"})
        assert answer.status_code == 200, surface
    answer = small.get("/v1/recommendations/more_like_this", params={"item_id": "one"})
    assert answer.status_code == 200

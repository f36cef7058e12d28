"""The API's description: frozen in a golden file, its examples sent for real, its page alone.

After a wanted change: ``PALATE_GOLDEN=write python -m pytest tests/serving/test_openapi.py``.
"""

import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.serving.conftest import SmallSite

import palate
from palate.serving.bodies import Recommendation
from palate.serving.schema.openapi import ANSWERS, BODIES, document

GOLDEN = Path(__file__).parent / "golden" / "openapi.json"
VERSION = "0.0.0-golden"


def test_the_document_is_the_golden_one(site: SmallSite) -> None:
    found = document(site.app)
    assert found["info"]["version"] == palate.__version__
    found["info"]["version"] = VERSION
    text = msgspec.json.format(msgspec.json.encode(found, order="deterministic"), indent=2) + b"\n"
    if os.environ.get("PALATE_GOLDEN") == "write":
        GOLDEN.write_bytes(text)
    assert text.decode() == GOLDEN.read_text("utf-8")


def test_it_is_openapi_31_and_every_reference_leads_somewhere(site: SmallSite) -> None:
    found = site.client.get("/schema/openapi.json")
    assert found.headers["content-type"].startswith("application/json")
    body = found.json()
    assert body["openapi"].startswith("3.1")
    schemas = body["components"]["schemas"]
    for name in re.findall(r'"#/components/schemas/([^"]+)"', found.text):
        assert name in schemas
    assert {"/v1/events", "/v1/recommendations/{surface}", "/livez", "/metrics"} <= set(
        body["paths"]
    )


def operations(site: SmallSite) -> dict[str, tuple[str, str]]:
    paths: dict[str, Any] = document(site.app)["paths"]
    return {
        operation["operationId"]: (verb, path)
        for path, verbs in paths.items()
        for verb, operation in verbs.items()
    }


@pytest.mark.parametrize("name", sorted(BODIES))
def test_every_example_is_accepted(site: SmallSite, name: str) -> None:
    verb, path = operations(site)[name]
    path = (
        path.replace("{item_id}", "drama-1").replace("{user_id}", "u1").replace("{surface}", "home")
    )
    answer = site.client.request(verb.upper(), path, json=BODIES[name].example)
    assert answer.is_success, answer.text


def test_the_example_of_a_page_has_the_form_of_a_page() -> None:
    example = msgspec.convert(ANSWERS["recommend"], Recommendation)
    assert msgspec.to_builtins(example).keys() == ANSWERS["recommend"].keys()


def test_every_operation_says_what_it_does_in_a_sentence(site: SmallSite) -> None:
    for path, verbs in document(site.app)["paths"].items():
        for operation in verbs.values():
            assert len(operation["description"]) >= 10, path
            assert operation["tags"], path


@pytest.mark.parametrize("path", ["/schema", "/schema/openapi.json", "/docs", "/openapi.json"])
def test_it_is_found_where_people_look(site: SmallSite, path: str) -> None:
    found = site.client.get(path)
    assert found.status_code == 200
    assert "/v1/events" in found.text
    assert found.headers["content-type"].split(";")[0] in {"text/html", "application/json"}


def test_the_docs_page_loads_nothing_from_elsewhere(site: SmallSite) -> None:
    page = site.client.get("/schema")
    assert page.headers["content-type"].startswith("text/html")
    assert "/v1/events" in page.text
    assert "Events, acknowledged only once they are durable." in page.text
    assert not re.search(r"<script|<link|src=|https?://|@import|url\(", page.text)

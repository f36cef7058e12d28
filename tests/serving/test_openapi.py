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
    named = {"item_id": "drama-1", "user_id": "u1", "rule_id": "no-flood"}
    path = path.format_map(named | dict.fromkeys(("surface", "page"), "home"))
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


def test_every_parameter_says_what_it_means_and_has_a_type(site: SmallSite) -> None:
    told = [
        (operation["operationId"], each)
        for verbs in document(site.app)["paths"].values()
        for operation in verbs.values()
        for each in operation.get("parameters", ())
    ]
    assert len(told) > 20
    for name, each in told:
        assert len(each["description"]) >= 8, (name, each["name"])
        assert each["schema"]["type"], (name, each["name"])
    age = next(each for _, each in told if each["name"] == "age")
    assert age["schema"] == {"type": "integer", "minimum": 0, "maximum": 150}


@pytest.mark.parametrize(
    ("name", "refusals"),
    [
        ("recommend", {"401", "404", "422", "429"}),
        ("send_events", {"401", "413", "422", "429"}),
        ("patch_item", {"401", "404", "413", "422", "429"}),
        ("put_item", {"401", "413", "422", "429"}),
        ("history", {"401", "422", "429"}),
        ("livez", set()),
    ],
)
def test_an_operation_says_how_it_may_refuse(
    site: SmallSite, name: str, refusals: set[str]
) -> None:
    verb, path = operations(site)[name]
    answers = document(site.app)["paths"][path][verb]["responses"]
    assert {code for code in answers if code.startswith("4")} == refusals
    for code in refusals:
        assert list(answers[code]["content"]) == ["application/problem+json"]


def test_the_fields_of_documents_are_told_in_the_words_of_the_code(site: SmallSite) -> None:
    schemas = document(site.app)["components"]["schemas"]
    event = schemas["EventDocument"]["properties"]
    assert event["event_id"]["description"].startswith("Idempotency key")
    assert schemas["Ask"]["properties"]["exclude"]["description"].startswith("Item ids that")
    assert schemas["TraceBody"]["properties"]["removed"]["description"]


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


def test_the_docs_page_tells_parameters_bodies_and_answers(site: SmallSite) -> None:
    page = site.client.get("/docs").text
    recommend = page.partition('<details id="recommend">')[2].partition("</details>")[0]
    assert re.search(
        r"<code>limit</code></td>\s*<td[^>]*>integer</td><td[^>]*><code>20</code>", recommend
    )
    assert "Name the visitor by <code>user_id</code>" in recommend
    assert "<td><code>404</code></td><td>There is no such item" in recommend
    sent = page.partition('<details id="send_events">')[2].partition("</details>")[0]
    assert "<h3>Each of events</h3>" in sent
    assert "Idempotency key" in sent

"""The API's own description: OpenAPI 3.1, generated from the routes, with the bodies and examples.

Bodies are decoded by the catalogue's and the events' own decoders, so Litestar cannot know their
shape: it is added here, by operation. The examples are sent by a test.
"""

from copy import deepcopy
from typing import Any, NamedTuple

import msgspec
from litestar import Litestar, MediaType, Request, get
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.openapi.spec import Components, License, SecurityScheme

import palate
from palate.rules.documents import KINDS, PinRule
from palate.serving.bodies import Ask, PageAsk, Picks, Wonder
from palate.serving.problems import CONTENT_TYPE, ProblemBody
from palate.serving.schema.documents import (
    EventsDocument,
    ItemDocument,
    ItemsDocument,
    UserDocument,
    UsersDocument,
)
from palate.serving.schema.page import page
from palate.serving.schema.parameters import (
    describe_answers,
    describe_fields,
    describe_parameters,
)
from palate.serving.steering.bodies import PreviewDocument, RulesDocument

Json = dict[str, Any]
REFERENCE = "#/components/schemas/{name}"
OPEN = ("/livez", "/readyz", "/metrics")

DESCRIPTION = (
    "A recommendation engine. Send items, users and events; ask for recommendations. Errors are "
    "`application/problem+json`. Once the site has API keys, every path under `/v1` needs one."
)

FILM = {
    "item_id": "toy-story",
    "kind": "film",
    "title": "Toy Story",
    "categories": ["Animation", "Comedy"],
    "tags": ["toys"],
    "published_at": "1995-11-22T00:00:00Z",
    "attributes": {"minutes": 81},
}
PERSON = {"user_id": "u1", "country": "DE", "language": "de", "birth_year": 1990}
CLICK = {
    "event_id": "2f1c5a3e-1",
    "kind": "click",
    "user_id": "u1",
    "item_id": "toy-story",
    "time": "2026-11-23T12:00:00Z",
    "surface": "home",
    "position": 3,
}
RULE = {
    "id": "no-flood",
    "kind": "at_most",
    "of": "creator",
    "cap": 2,
    "window": 10,
    "surfaces": ["home"],
}
BOOST = {
    "id": "french-week",
    "kind": "boost",
    "where": '"comedy" in categories',
    "by": 0.5,
    "ends": "2026-12-24T00:00:00Z",
    "audience": 'user.country == "FR"',
}


class Body(NamedTuple):
    """What an operation takes."""

    type: type[msgspec.Struct]
    example: Json
    required: tuple[str, ...] = ()
    """Fields that must be there; the rest is optional."""


BODIES: dict[str, Body] = {
    "recommend_with_context": Body(
        Ask,
        {"surface": "home", "user_id": "u1", "limit": 10, "context": {"device": "phone"}},
    ),
    "recommend_on_surface": Body(Ask, {"user_id": "u1", "exclude": ["toy-story"]}),
    "compose_page_with_context": Body(
        PageAsk, {"user_id": "u1", "limit": 10, "context": {"device": "tv"}}
    ),
    "why_with_context": Body(
        Wonder,
        {"user_id": "u1", "item_id": "drama-1", "context": {"device": "phone"}},
        ("item_id",),
    ),
    "send_events": Body(EventsDocument, {"events": [CLICK]}),
    "send_picks": Body(Picks, {"user_id": "u1", "picks": ["drama-1", "space-2"]}, ("picks",)),
    "put_item": Body(ItemDocument, {k: v for k, v in FILM.items() if k != "item_id"}),
    "put_items": Body(ItemsDocument, {"items": [FILM]}),
    "patch_item": Body(ItemDocument, {"hidden": True}),
    "put_user": Body(UserDocument, {k: v for k, v in PERSON.items() if k != "user_id"}),
    "put_users": Body(UsersDocument, {"users": [PERSON]}),
    "patch_user": Body(UserDocument, {"country": "FR"}),
    "put_rules": Body(RulesDocument, {"rules": [RULE]}),
    "add_rule": Body(PinRule, BOOST),
    "put_rule": Body(PinRule, {k: v for k, v in RULE.items() if k != "id"}),
    "preview_rules": Body(
        PreviewDocument, {"rules": [RULE], "requests": [{"surface": "home", "user_id": "u1"}]}
    ),
}
PAGE_EXAMPLE = {
    "recommendation_id": "018bcfe568000000000000000005",
    "surface": "home",
    "release": "20261124-101500-ab12",
    "step": "full",
    "items": [
        {
            "item_id": "toy-story",
            "position": 1,
            "score": 0.31,
            "reason": {
                "kind": "because_of_items",
                "text": "Because you liked Heat",
                "item_ids": ["heat"],
                "weights": [0.41],
                "trait": "",
                "generator": "covisit",
            },
            "explore": False,
        }
    ],
    "anchor": None,
    "next": "eJxj5GBgYAAAAAcAAg",
    "timing": {"total_ms": 4.2, "stages": {"generate.covisit": 0.2, "rank": 0.6}},
}
ANSWERS: dict[str, Json] = {
    "recommend": PAGE_EXAMPLE,
    "recommend_with_context": PAGE_EXAMPLE,
    "recommend_on_surface": PAGE_EXAMPLE,
    "send_events": {"accepted": 1, "duplicates": 0},
    "item": FILM,
    "user": PERSON,
}
"""What an operation answers, where that is worth an example."""
ADDRESSED = frozenset({"put_item", "patch_item", "put_user", "patch_user"})
"""Operations whose path names the id, so that the body may leave it out."""


class JsonDocument(JsonRenderPlugin):
    """``/schema/openapi.json``."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: Json) -> bytes:
        return msgspec.json.encode(complete(openapi_schema))


class DocsPage(OpenAPIRenderPlugin):
    """``/schema``: a page rendered here, that loads nothing from anywhere else."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: Json) -> bytes:
        return page(complete(openapi_schema)).encode()


@get("/docs", include_in_schema=False, media_type=MediaType.HTML, sync_to_thread=True)
def docs(request: Request[Any, Any, Any]) -> str:
    """The page, where people look for it first."""
    return page(document(request.app))


@get("/openapi.json", include_in_schema=False, media_type=MediaType.JSON, sync_to_thread=True)
def openapi_json(request: Request[Any, Any, Any]) -> bytes:
    """The document, where programs look for it first."""
    return msgspec.json.encode(document(request.app))


def configuration() -> OpenAPIConfig:
    """What Litestar generates the document from."""
    return OpenAPIConfig(
        title="Palate",
        version=palate.__version__,
        description=DESCRIPTION,
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        use_handler_docstrings=True,
        path="/schema",
        render_plugins=[JsonDocument(media_type=MediaType.JSON), DocsPage(path="/")],
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(type="http", scheme="bearer"),
                "key": SecurityScheme(type="apiKey", name="X-API-Key", security_scheme_in="header"),
            }
        ),
    )


def document(app: Litestar) -> Json:
    """The whole OpenAPI document of an application."""
    return complete(app.openapi_schema.to_schema())


def complete(generated: Json) -> Json:
    """What Litestar generated, with meanings, bodies, examples, problems and security."""
    whole = deepcopy(generated)
    types: list[type] = [*{body.type for body in BODIES.values()}, ProblemBody]
    types.sort(key=lambda each: each.__name__)
    _, schemas = msgspec.json.schema_components(types, ref_template=REFERENCE)
    components = whole.setdefault("components", {})
    components["schemas"] = dict(sorted((components.get("schemas", {}) | schemas).items()))
    for path, operations in whole["paths"].items():
        for operation in operations.values():
            if isinstance(operation, dict) and "responses" in operation:
                _complete(path, operation)
    describe_fields(components["schemas"])
    return whole


def _complete(path: str, operation: Json) -> None:
    name = operation.get("operationId", "")
    body = BODIES.get(name)
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _content(name, body)}
    if name in ANSWERS:
        [code] = [code for code in operation["responses"] if code.startswith("2")]
        operation["responses"][code]["content"]["application/json"]["example"] = ANSWERS[name]
    operation["responses"].pop("400", None)
    describe_parameters(operation)
    describe_answers(path, operation, CONTENT_TYPE)
    if path not in OPEN:
        operation["security"] = [{}, {"bearer": []}, {"key": []}]


def _content(name: str, body: Body) -> Json:
    schema: Json = {"$ref": REFERENCE.format(name=body.type.__name__)}
    if body.type is PinRule:
        of = [{"$ref": REFERENCE.format(name=kind.__name__)} for kind in KINDS.values()]
        schema = {"oneOf": of, "title": "Rule"}
    if name in ADDRESSED:
        described = "As the document, without its id: the path names it."
        schema = {"type": "object", "description": described, "title": body.type.__name__}
    return {"application/json": {"schema": schema, "example": body.example}}

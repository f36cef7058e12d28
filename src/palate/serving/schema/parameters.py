"""What each parameter and field of the API means, and what each operation may answer.

Fields are told by the docstrings under them, so that the document and the code cannot disagree.
"""

import ast
import inspect
from types import ModuleType
from typing import Any

import msgspec

from palate.rules import documents as rules
from palate.serving import bodies, problems
from palate.serving.routes import health
from palate.serving.schema import documents
from palate.serving.steering import bodies as steering
from palate.serving.tracing import view, whynot
from palate.template import meanings

Json = dict[str, Any]
MODULES: tuple[ModuleType, ...] = (
    bodies,
    documents,
    problems,
    health,
    view,
    whynot,
    rules,
    steering,
)
"""Where the documents of the API are defined."""
PROBLEM = {"$ref": "#/components/schemas/ProblemBody"}

PARAMETERS: dict[str, str] = {
    "surface": "`home`, `trending`, `more_like_this`, `because_you_watched`, `continue_watching`,"
    " `new_for_you`, `onboarding`, or one of your own.",
    "page": "`home`, or a page that `[pages.NAME]` of the settings makes.",
    "user_id": "A user of the site. Goes before `session_id`.",
    "session_id": "A visitor without an account.",
    "item_id": "The item's id; all that follows in the path, slashes too.",
    "limit": "How many.",
    "cursor": "`next` of the page before.",
    "region": "ISO country code; absent: the user's country.",
    "age": "The visitor's age in whole years, 0 to 150; absent: reckoned from the birth year.",
    "filter": 'A condition on items: `year >= 2000 and "drama" in categories`.',
    "language": "In which reasons are told, as `de`; absent: the profile's, else that of"
    " `Accept-Language`, else the site's.",
    "budget_ms": "Milliseconds that the answer may take, 1 to 60,000; absent: as the settings say.",
    "recommendation_id": "As the recommendation named it.",
    "days": "How many calendar days (UTC), today's with them; up to `ledger.keep_days`.",
    "partial": "Store the right events of a batch and list the wrong ones in `rejected`.",
    "after": "The last id of the page before.",
    "before": "`next` of the page before.",
    "rule_id": "The rule's id.",
    "seed_item_id": "The item on screen; `more_like_this` needs it.",
}
PARTICULAR: dict[tuple[str, str], str] = {
    ("recommend", "item_id"): "The item on screen; `more_like_this` needs it.",
    ("recommend", "limit"): "How many, from 1 to `serving.max_limit` (100).",
    ("onboard", "limit"): "How many, from 1 to `serving.max_limit` (100).",
    ("why", "item_id"): "The item that is asked about.",
    ("why", "limit"): "Length of the page, from 1 to `serving.max_limit` (100).",
    ("items", "item_id"): "An id to look up; may be given several times.",
    ("users", "limit"): "How many, from 1 to 1,000.",
    ("audit_rules", "limit"): "How many, from 1 to 1,000.",
    ("history", "limit"): "How many, from 1 to 200: so many are remembered.",
    ("user", "user_id"): "The user's id; all that follows in the path, slashes too.",
}
"""Where a parameter means something else to one operation."""
AGE = {"type": "integer", "minimum": 0, "maximum": 150}
OWN: dict[str, Json] = {
    "age": AGE,
    "budget_ms": {"type": "integer", "minimum": 1, "maximum": 60_000},
}
"""Of parameters that may be absent."""

DONE = {
    "200": "As asked for.",
    "202": "What was accepted is on the disk.",
    "204": "It is gone.",
}
REFUSALS = {
    "401": "No API key, or a wrong one: the site has keys.",
    "409": "A rule of that id is there already, or it is `palate.toml`'s.",
    "412": "The rules are not at the version of `If-Match`: read them again.",
    "404": "There is no such item, user, trace, surface or rule.",
    "413": "The body is larger than `serving.max_body_bytes`, or the batch is too long.",
    "422": "Something that was sent is wrong; `errors` names each field and how to mend it.",
    "429": "More requests a second than a caller is allowed: come again after `Retry-After`.",
    "default": "Anything else that goes wrong, in the same form.",
}
FINDING = frozenset(
    {"recommend", "recommend_with_context", "recommend_on_surface", "item", "patch_item"}
    | {"delete_item", "user", "patch_user", "delete_user", "trace"}
    | {"compose_page_with_context"}
    | {"rule", "delete_rule", "preview_rules", "why", "why_with_context", "ledger"}
)
"""Operations that answer 404 where what they are about is unknown."""
CHANGING = frozenset({"put_rules", "add_rule", "put_rule", "delete_rule"})
"""Operations that go by a version, and stay out of what `palate.toml` says."""


def describe_parameters(operation: Json) -> None:
    """Give every parameter of an operation its meaning, and what may be absent its type."""
    name = operation.get("operationId", "")
    owner = name.removeprefix("put_").removeprefix("patch_").removeprefix("delete_")
    for each in operation.get("parameters", ()):
        known = each["name"]
        each["description"] = PARTICULAR.get((owner, known), PARAMETERS[known])
        if known in OWN:
            each["schema"] = dict(OWN[known])
        if each["schema"].get("default") == "":
            del each["schema"]["default"]  # an empty string is the same as none


def describe_answers(path: str, operation: Json, content_type: str) -> None:
    """Say what an operation's answers mean: which errors there are, and in which form."""
    for code, answer in operation["responses"].items():
        answer["description"] = DONE.get(code, answer["description"])
    name = operation.get("operationId", "")
    answered = {
        "401": path.startswith("/v1"),
        "404": name in FINDING,
        "409": name in CHANGING,
        "412": name in CHANGING,
        "413": "requestBody" in operation,
        "422": path.startswith("/v1"),
        "429": path.startswith("/v1"),
        "default": True,
    }
    for code, possible in answered.items():
        if possible:
            operation["responses"][code] = {
                "description": REFUSALS[code],
                "content": {content_type: {"schema": dict(PROBLEM)}},
            }


def describe_fields(schemas: Json) -> None:
    """Give every field of every document the meaning that stands under it in the code."""
    for name, kind in _documents().items():
        schema = schemas.get(name)
        if schema is None:
            continue
        schema["description"] = inspect.cleandoc(kind.__doc__ or "")
        for each in reversed(kind.__mro__[: kind.__mro__.index(msgspec.Struct)]):
            _describe(schema["properties"], each)


def _describe(properties: Json, kind: type) -> None:
    """Tell the fields that this very class declares."""
    [source] = ast.parse(inspect.getsource(kind)).body
    if isinstance(source, ast.ClassDef):
        for field, meaning in meanings(source).items():
            properties[field] = _said(properties[field], meaning)


def _said(schema: Json, meaning: str) -> Json:
    return schema | {"description": meaning.replace("``", "`")}


def _documents() -> dict[str, type[msgspec.Struct]]:
    return {
        name: kind
        for module in MODULES
        for name, kind in vars(module).items()
        if isinstance(kind, type)
        and issubclass(kind, msgspec.Struct)
        and kind.__module__ == module.__name__
    }

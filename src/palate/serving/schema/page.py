"""The API's docs page, rendered from the OpenAPI document: no script, nothing from elsewhere."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from jinja2 import Environment, select_autoescape
from markupsafe import Markup, escape

HERE = Path(__file__).parent
Json = dict[str, Any]


class Field(NamedTuple):
    """A row of a table: a parameter, or a field of a body."""

    name: str
    where: str
    type: str
    default: str
    text: str
    required: bool = False


def coded(text: str) -> Markup:
    """Text in which `these` are code, and a blank line begins a paragraph.

    >>> coded("Send `a < b`.")
    Markup('Send <code>a &lt; b</code>.')
    """
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    return Markup(marked.replace("\n\n", "</p><p>"))  # noqa: S704  escaped in the line above


_ENVIRONMENT = Environment(
    autoescape=select_autoescape(default=True), trim_blocks=True, lstrip_blocks=True
)
_ENVIRONMENT.filters["coded"] = coded
_TEMPLATE = _ENVIRONMENT.from_string((HERE / "docs.html").read_text("utf-8"))
_STYLE = (HERE / "docs.css").read_text("utf-8")


def page(document: Json) -> str:
    """The page for an OpenAPI document."""
    groups: dict[str, list[Json]] = {}
    schemas = document.get("components", {}).get("schemas", {})
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            if isinstance(operation, dict) and "responses" in operation:
                tag = (operation.get("tags") or ["Other"])[0]
                groups.setdefault(tag, []).append(_described(path, verb, operation, schemas))
    return _TEMPLATE.render(doc=document, groups=groups, style=_STYLE)


def _described(path: str, verb: str, operation: Json, schemas: Json) -> Json:
    sent = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    answers = operation["responses"]
    [good] = [code for code in answers if code.startswith("2")]
    returned = answers[good].get("content", {}).get("application/json", {})
    text = str(operation.get("description", ""))
    return {
        "name": operation["operationId"],
        "path": path,
        "verb": verb.upper(),
        "short": re.split(r"(?<=[.:;])\s", text)[0].rstrip(".:;"),
        "text": text,
        "parameters": [_parameter(each) for each in operation.get("parameters", ())],
        "bodies": list(_bodies(sent.get("schema", {}), schemas)),
        "sent": _shown(sent.get("example")),
        "returned": _shown(returned.get("example")),
        "answers": {code: each.get("description", "") for code, each in answers.items()},
    }


def _parameter(told: Json) -> Field:
    schema = told["schema"]
    return Field(
        told["name"],
        told["in"],
        type_of(schema),
        _default(schema),
        told.get("description", ""),
        bool(told.get("required")),
    )


def _bodies(
    schema: Json, schemas: Json, heading: str = "Body"
) -> Iterator[tuple[str, list[Field]]]:
    """The fields of a body, then those of the documents in its lists, each under a heading."""
    name = str(schema.get("$ref", "")).rpartition("/")[2] or str(schema.get("title", ""))
    for each in schema.get("oneOf", ()):
        kind = str(each.get("$ref", "")).rpartition("/")[2]
        word = schemas.get(kind, {}).get("properties", {}).get("kind", {})
        yield from _bodies(each, schemas, f"Of kind {word.get('enum', [kind])[0]}")
    properties = schemas.get(name, {}).get("properties", {})
    required = schemas.get(name, {}).get("required", ())
    if not properties:
        return
    yield (
        heading,
        [
            Field(
                field,
                "body",
                type_of(each),
                _default(each),
                each.get("description", ""),
                field in required,
            )
            for field, each in properties.items()
        ],
    )
    for field, each in properties.items():
        yield from _bodies(each.get("items", {}), schemas, f"Each of {field}")


def type_of(schema: Json) -> str:
    """The type in words.

    >>> type_of({"type": "array", "items": {"type": "string"}})
    'list of string'
    >>> type_of({"anyOf": [{"type": "integer"}, {"type": "null"}]})
    'integer or null'
    """
    if either := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(type_of(each) for each in either)
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " · ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    return str(schema.get("type", "any"))


def _default(schema: Json) -> str:
    """The default, where it says more than that there is none."""
    found = schema.get("default")
    return "" if found in ("", None, [], (), {}) else msgspec.json.encode(found).decode()


def _shown(example: Any) -> str:
    if not example:
        return ""
    return msgspec.json.format(msgspec.json.encode(example), indent=2).decode()

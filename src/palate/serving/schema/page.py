"""The API's docs page, rendered from the OpenAPI document: no script, nothing from elsewhere."""

from typing import Any

import msgspec
from jinja2 import Environment, select_autoescape

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 54rem; margin: 0 auto; padding: 1rem; }
code, pre { font: 0.9em ui-monospace, monospace; }
pre { overflow-x: auto; padding: 0.75rem; border: 1px solid #8886; border-radius: 0.4rem; }
summary { cursor: pointer; padding: 0.4rem 0; }
details { border-bottom: 1px solid #8884; }
.verb { display: inline-block; min-width: 4.2rem; font-weight: 700; }
td, th { text-align: left; padding: 0.15rem 1rem 0.15rem 0; vertical-align: top; }
"""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ doc.info.title }} API {{ doc.info.version }}</title><style>{{ style }}</style>
</head>
<body>
<h1>{{ doc.info.title }} API <small>{{ doc.info.version }}</small></h1>
<p>{{ doc.info.description }}</p>
<p>The reference is <a href="/openapi.json">openapi.json</a> (OpenAPI {{ doc.openapi }}).</p>
{% for tag, operations in groups.items() %}
<h2>{{ tag }}</h2>
{% for each in operations %}
<details>
<summary><span class="verb">{{ each.verb }}</span> <code>{{ each.path }}</code></summary>
<p>{{ each.text }}</p>
{% if each.parameters %}
<table><thead><tr><th>Parameter</th><th>In</th><th>Type</th></tr></thead><tbody>
{% for p in each.parameters %}
<tr><td><code>{{ p.name }}</code>{% if p.required %} *{% endif %}</td><td>{{ p.in }}</td>
<td>{{ p.schema.type or "" }}</td></tr>
{% endfor %}
</tbody></table>
{% endif %}
{% if each.example %}
<pre>{{ each.example }}</pre>
{% endif %}
<p>Answers: {% for code in each.codes %}<code>{{ code }}</code> {% endfor %}</p>
</details>
{% endfor %}
{% endfor %}
</body>
</html>
"""

_TEMPLATE = Environment(autoescape=select_autoescape(default=True)).from_string(PAGE)
Json = dict[str, Any]


def page(document: Json) -> str:
    """The page for an OpenAPI document."""
    groups: dict[str, list[Json]] = {}
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            if isinstance(operation, dict) and "responses" in operation:
                tag = (operation.get("tags") or ["Other"])[0]
                groups.setdefault(tag, []).append(_described(path, verb, operation))
    return _TEMPLATE.render(doc=document, groups=groups, style=STYLE)


def _described(path: str, verb: str, operation: Json) -> Json:
    content = operation.get("requestBody", {}).get("content", {})
    example = content.get("application/json", {}).get("example")
    shown = msgspec.json.format(msgspec.json.encode(example), indent=2) if example else b""
    return {
        "path": path,
        "verb": verb.upper(),
        "text": operation.get("description", operation.get("summary", "")),
        "parameters": operation.get("parameters", []),
        "example": shown.decode(),
        "codes": list(operation["responses"]),
    }

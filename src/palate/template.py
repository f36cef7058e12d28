"""The commented `palate.toml` of a new site, written from the settings' own text."""

import ast
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

import msgspec

from palate import settings, settings_loop, settings_serving
from palate.settings import FILE, TUNED, Settings, SiteSettings
from palate.settings_files import toml
from palate.settings_loop import Part

WIDTH = 88


def template(site: SiteSettings | None = None) -> str:
    """The commented `palate.toml` of a new site: every setting, its meaning and its default.

    Where `site` differs from the defaults of ``[site]``, the file says so.
    """
    lines = [
        f"# {FILE}: the settings of this site. A line that begins with #name = shows a default:",
        "# take the # away to change it. PALATE_TABLE__NAME in the environment overrides both.",
        f"# What `palate tune` finds is in {TUNED} and counts where this file says nothing.",
    ]
    classes = {
        node.name: node
        for file in (settings.__file__, settings_loop.__file__, settings_serving.__file__)
        for node in ast.parse(Path(file).read_text("utf-8")).body
        if isinstance(node, ast.ClassDef)
    }
    for table in msgspec.structs.fields(Settings):
        if isinstance(table.default, Part):
            text = classes[type(table.default).__name__]
            given = site if site is not None and table.name == "site" else table.default
            lines += ["", *_table(table.name, table.default, given, text)]
    lines += [
        "",
        "# Numbers of a surface's parts, by dotted name; a table per surface, for example:",
        "#[surfaces.home]",
        '#"at_most.cap" = 3',
        "",
        "# Whole pages of rows (GET /v1/pages/NAME); `home` is there already, for example:",
        "#[pages.kids]",
        '#"rows" = ["home", "new_for_you"]',
    ]
    return "\n".join(lines) + "\n"


def _table(name: str, part: Part, given: Part, source: ast.ClassDef) -> Iterator[str]:
    about = (ast.get_docstring(source) or "").partition(": ")[2]
    yield from _comment(about[:1].upper() + about[1:])
    yield f"[{name}]"
    said = meanings(source)
    for field in part.__struct_fields__:
        yield from _comment(said.get(field, ""))
        value = getattr(given, field)
        yield f"{'#' if value == getattr(part, field) else ''}{field} = {toml(value)}"


def meanings(source: ast.ClassDef) -> dict[str, str]:
    """The docstring under each field of a class."""
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in zip(source.body, source.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(text.replace("``", "`"), WIDTH)]

"""Where settings come from: defaults, what was tuned, `palate.toml`, the environment.

Each goes before the one before it; `palate tune` writes what it found into `tuned.toml`.

`PALATE_SERVING__PORT=8701` overrides ``port`` of ``[serving]``; a list or a table is written as in
the file (``PALATE_SERVING__API_KEYS='["k1", "k2"]'``).
"""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from palate.errors import BadInput, Problem
from palate.settings import FILE, TUNED, PageSettings, Settings
from palate.settings_loop import Part
from palate.settings_wrong import of_file, sentence
from palate.spelling import hint

PAGE = "pages[]"
"""A table that has a name of the operator's."""


def load(home: Path, environment: Mapping[str, str]) -> Settings:
    """Read ``home/palate.toml``, lay it over ``tuned.toml``, and the environment over both.

    Raises BadInput where there is no such file, or a name or value in it is wrong.
    """
    tree = given(home, environment)
    tuned = home / TUNED
    found = _read(tuned) if tuned.is_file() else {}
    both = {name: _laid(tree.get(name), found.get(name)) for name in tree | found}
    settings = msgspec.convert(both, Settings, strict=False)
    return msgspec.structs.replace(settings, home=home.resolve())


def given(home: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """What the operator has set, by table and name: ``palate.toml`` under the environment.

    Raises BadInput as `load` does.
    """
    file = home / FILE
    if not file.is_file():
        raise BadInput(
            f"{home} is not a site: it has no {FILE}; name one with --site DIR, or make one with"
            f" `palate init {home}`"
        )
    return _read(file, environment)


def write_tuned(home: Path, found: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write what was found, by table and name, into ``home/tuned.toml``, whole or not at all.

    What it says of other names stays. Raises BadInput where the file there is wrong.
    """
    file = home / TUNED
    tree = _read(file) if file.is_file() else {}
    for table, values in found.items():
        tree[table] = {**tree.get(table, {}), **values}
    lines = [f"# Found by `palate tune`; whatever {FILE} says goes before it."]
    for table, values in sorted(tree.items()):
        lines += ["", f"[{table}]", *(f"{name} = {toml(value)}" for name, value in values.items())]
    aside = file.with_suffix(".new")
    aside.write_text("\n".join(lines) + "\n", "utf-8")
    aside.replace(file)
    return file


def _read(file: Path, environment: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """The file's tree under the environment, every name and value of which is right."""
    try:
        tree: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
        _overlay(tree, environment)
        msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        told = _told(str(error))
        raise BadInput(f"{file}: {told}", [Problem(str(file), told)]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        told = of_file(str(error))
        raise BadInput(f"{file}: {told}", [Problem(str(file), told)]) from error
    return tree


def _told(problem: str) -> str:
    """A wrong setting by table and name: "[serving] port: a whole number is wanted, not text"."""
    what, _, path = re.sub(" - at `key` in `", " - at `", problem).partition(" - at `$")
    table, _, name = path.rstrip("`").lstrip(".").replace("[...]", "[]").partition(".")
    part = PageSettings() if table == PAGE else getattr(Settings(), table, None)
    where = (
        f"[{table.replace(PAGE, 'pages.…')}] {name.replace('[]', '')}"
        if table
        else "the top of the file"
    )
    where = where.strip()
    unknown = re.search("unknown field `(.+?)`", what)
    if unknown is None:
        of = type(part) if isinstance(part, Part) else None
        return f"{where}: {sentence(what, of, name)}"
    known = part.__struct_fields__ if isinstance(part, Part) else Settings.__struct_fields__[1:]
    return f"{where} has no {unknown[1]!r}; {hint(unknown[1], known)}"


def _laid(above: Any, below: Any) -> Any:
    """A table over a table, name by name."""
    if isinstance(above, dict) and isinstance(below, dict):
        return {**below, **above}
    return below if above is None else above


def _overlay(tree: dict[str, Any], environment: Mapping[str, str]) -> None:
    for name, value in environment.items():
        table, _, key = name.removeprefix("PALATE_").lower().partition("__")
        if name.startswith("PALATE_") and key:
            held = tree.setdefault(table, {})
            if not isinstance(held, dict) or table not in Settings.__struct_fields__:
                raise BadInput(f"the environment's {name} names no table of {FILE}")
            held[key] = _given(value)


def _given(value: str) -> Any:
    """A list or table as in the file; everything else is converted by its field."""
    if value.lstrip().startswith(("[", "{")):
        return tomllib.loads(f"value = {value}")["value"]
    return value


def toml(value: object) -> str:
    """A value as the file has it."""
    if isinstance(value, tuple):
        return f"[{', '.join(toml(each) for each in value)}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{k} = {toml(v)}' for k, v in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)

"""Sentences for reasons, by language: files of this folder, and a site's own below ``wording/``.

A file is named after its language (``de.toml``) and holds the tables of `Wording`; what a site's
file does not say is as in ours, what neither says is English.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, get_args

from palate.errors import BadInput, Problem
from palate.funnel.types import ReasonKind
from palate.settings import FILE

HERE = Path(__file__).parent
FOLDER = "wording"
ENGLISH = "en"
KINDS: frozenset[str] = frozenset(get_args(ReasonKind))
FIELDS: Mapping[str, frozenset[str]] = {
    "plain": frozenset(),
    "about_items": frozenset({"items"}),
    "about_trait": frozenset({"trait"}),
    "likeness": frozenset({"items"}),
    "phrases": frozenset({"items", "verb"}),
}
"""By table: what a template of it may name."""
OF_KINDS = ("plain", "about_items", "about_trait")
PHRASES = frozenset({"done", "faint", "comma", "and"})


@dataclass(frozen=True, eq=False)
class Wording:
    """One language."""

    plain: Mapping[str, str]
    """By kind: where there is no item and no trait to name. Every kind is there."""
    about_items: Mapping[str, str] = field(default_factory=dict)
    about_trait: Mapping[str, str] = field(default_factory=dict)
    likeness: Mapping[str, str] = field(default_factory=dict)
    """By generator: how one that does not compare what items are says that one leads to another."""
    phrases: Mapping[str, str] = field(default_factory=dict)
    """`done` ("Because you {verb} {items}"), `faint` likeness, and what joins titles: `comma`,
    `and`."""
    deeds: Mapping[str, str] = field(default_factory=dict)
    """What a visitor did, by its English word; a word that is not here stands as it is."""
    traits: Mapping[str, str] = field(default_factory=dict)
    """Traits that are phrases of ours, by their English words."""

    def listed(self, titles: list[str]) -> str:
        """Titles in a row."""
        *most, last = titles
        return f"{self.phrases['comma'].join(most)}{self.phrases['and']}{last}" if most else last


@dataclass(frozen=True)
class Wordings:
    """All languages of a site."""

    by_language: Mapping[str, Wording]
    language: str
    """The site's own."""

    @classmethod
    def of_site(cls, home: Path, language: str) -> "Wordings":
        """Ours and the site's. Raises BadInput that names the file and the template."""
        own = home / FOLDER if (home / FILE).is_file() else home / "no site"
        files = {file.stem: file for file in sorted(own.glob("*.toml"))}
        names = {*files, *(file.stem for file in HERE.glob("*.toml"))}
        return cls({name: _laid(name, files.get(name)) for name in sorted(names)}, language)

    def of(self, *languages: str) -> Wording:
        """The first of these for which there are words, else the site's, else English."""
        for wanted in (*languages, self.language):
            short = wanted.replace("_", "-").partition("-")[0].lower()
            for name in (wanted, short):
                if name in self.by_language:
                    return self.by_language[name]
        return self.by_language[ENGLISH]


@cache
def english() -> Wording:
    """The words that are always there."""
    return Wording(**_read(HERE / f"{ENGLISH}.toml"))


def _laid(name: str, own: Path | None) -> Wording:
    """English, under ours of that language, under the site's."""
    layers = [_read(HERE / f"{ENGLISH}.toml")]
    layers += [_read(HERE / f"{name}.toml")] if (HERE / f"{name}.toml").is_file() else []
    layers += [_read(own)] if own else []
    found: dict[str, dict[str, str]] = {}
    for layer in layers:
        for table, texts in layer.items():
            found[table] = found.get(table, {}) | texts
    return Wording(**found)


def _read(file: Path) -> dict[str, dict[str, str]]:
    """The tables of one file. Raises BadInput."""
    try:
        told = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _wrong(file, "", f"it does not read: {error}") from error
    for table, texts in told.items():
        if table not in Wording.__dataclass_fields__ or not isinstance(texts, dict):
            there = ", ".join(Wording.__dataclass_fields__)
            raise _wrong(file, table, f"there is no table {table!r}; there are {there}")
        for name, text in texts.items():
            _check(file, table, name, text)
    return told


def _check(file: Path, table: str, name: str, text: Any) -> None:
    if table in OF_KINDS and name not in KINDS:
        raise _wrong(file, f"{table}.{name}", f"no such kind; there are {', '.join(sorted(KINDS))}")
    if table == "phrases" and name not in PHRASES:
        raise _wrong(file, f"{table}.{name}", f"there are {', '.join(sorted(PHRASES))}")
    if not isinstance(text, str):
        raise _wrong(file, f"{table}.{name}", "a text is wanted")
    allowed = FIELDS.get(table)
    if allowed is None:
        return
    try:
        named = {part for _, part, _, _ in Formatter().parse(text) if part is not None}
    except ValueError as error:
        raise _wrong(file, f"{table}.{name}", str(error)) from error
    if not named <= allowed:
        told = ", ".join(f"{{{each}}}" for each in sorted(allowed)) or "nothing in braces"
        raise _wrong(file, f"{table}.{name}", f"it may name {told}")


def _wrong(file: Path, at: str, problem: str) -> BadInput:
    told = f"{at}: {problem}" if at else problem
    return BadInput(f"{file}: {told}", [Problem(f"/{FOLDER}/{file.stem}/{at}", problem)])

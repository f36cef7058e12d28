"""Generators and rankers of other packages, found by entry point and asked where settings say so.

A package names them in its ``pyproject.toml``::

    [project.entry-points."palate.generators"]
    implicit_als = "my_package:ImplicitAls"

and a site takes them up in its ``palate.toml``: ``[plugins]``, ``generators = ["implicit_als"]``.

A name that nothing brings is a mistake in the settings, and refused. A part that is there and
breaks while it is loaded or built is left out: the site goes on without it, and says so.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from palate.errors import BadInput, Problem, told_of
from palate.features.vector import BY_NAME, offered
from palate.funnel.stages import Generator, Ranker, in_settings
from palate.funnel.worth import SENSIBLE
from palate.settings import PluginSettings
from palate.spelling import near
from palate.stores import Stores

GENERATORS, RANKERS = "palate.generators", "palate.rankers"


log = logging.getLogger("palate.plugins")
_broken: dict[tuple[str, str], str] = {}
"""What this process had to leave out when it built it last, by key and name; told in words."""
_said: set[str] = set()
"""What is in the log: surfaces are built often, each of them."""


def generators(stores: Stores) -> tuple[Generator, ...]:
    """The generators that ``[plugins] generators`` names, in that order; without broken ones."""
    names = stores.settings.plugins.generators
    made = [_made(GENERATORS, name, "generate", stores) for name in names]
    return tuple(each for each in made if each is not None)


def ranker(stores: Stores) -> Ranker | None:
    """The ranker that ``[plugins] ranker`` names; None where it names none, or it is broken."""
    name = stores.settings.plugins.ranker
    made: Ranker | None = _made(RANKERS, name, "score", stores) if name else None
    return made


def left_out(settings: PluginSettings) -> list[str]:
    """Parts of these that this process goes on without: which, what broke, and where."""
    named = [(GENERATORS, name) for name in settings.generators] + [(RANKERS, settings.ranker)]
    return [_broken[part] for part in named if part in _broken]


@contextmanager
def unlogged() -> Iterator[None]:
    """For who tells of what is `left_out` in words of their own."""
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = False


def _made(group: str, name: str, method: str, stores: Stores) -> Any:
    """A component; None where it breaks. Raises BadInput where there is none, or it is none."""
    entry = _entry(group, name)
    _broken.pop((group, name), None)
    try:
        component = entry.load()
        lacking = [each for each in ("default", method) if not hasattr(component, each)]
        made = None if lacking else component.default(stores)
        reads = tuple(made.reads) if made is not None and group == RANKERS else ()
    except Exception as error:  # noqa: BLE001  somebody else's code: the site goes on without it
        _leave_out(group, entry, told_of(error))
        return None
    if lacking:
        raise _wrong(group, f"{name!r} ({entry.value}) has no method {lacking[0]}")
    words = offered(_heard(stores.settings.plugins)) if reads else ()
    for each in reads:
        if each not in words and each not in BY_NAME:
            meant = near(each, {*words, *BY_NAME}) or "`palate features` lists them all"
            problem = f"{name!r} ({entry.value}) reads {each!r}, and there is no such feature"
            raise _wrong(group, f"{problem}; {meant}")
    return made


def _heard(settings: PluginSettings) -> set[str]:
    """The generators that a ranker may read: what they are called on a page."""
    names = set(SENSIBLE)
    for name in settings.generators:
        entry = _entry(GENERATORS, name)
        try:
            names.add(in_settings(entry.load().__name__))
        except Exception:  # noqa: BLE001  left out, and said where it is built; the ranker is not to blame
            names |= {name, in_settings(entry.attr)}
    return names


def _leave_out(group: str, entry: EntryPoint, why: str) -> None:
    told = f"[plugins] {_key(group)}: {entry.name!r} ({entry.value}) is left out, it broke: {why}"
    _broken[group, entry.name] = told
    if told not in _said:
        _said.add(told)
        log.error("%s", told)


def _entry(group: str, name: str) -> EntryPoint:
    """Where a package says that the part is. Raises BadInput where none does."""
    known = {each.name: each for each in entry_points(group=group)}
    if name not in known:
        there = f"there are {', '.join(sorted(known))}" if known else "none is installed"
        raise _wrong(group, f"no package brings {name!r} (entry points {group}); {there}")
    return known[name]


def _key(group: str) -> str:
    return "ranker" if group == RANKERS else "generators"


def _wrong(group: str, problem: str) -> BadInput:
    key = _key(group)
    return BadInput(f"[plugins] {key}: {problem}", [Problem(f"/plugins/{key}", problem)])

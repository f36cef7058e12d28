"""Generators and rankers of other packages, found by entry point and asked where settings say so.

A package names them in its ``pyproject.toml``::

    [project.entry-points."palate.generators"]
    implicit_als = "my_package:ImplicitAls"

and a site takes them up in its ``palate.toml``: ``[plugins]``, ``generators = ["implicit_als"]``.
"""

from importlib.metadata import entry_points
from typing import Any

from palate.errors import BadInput, Problem
from palate.funnel.stages import Generator, Ranker
from palate.stores import Stores

GENERATORS, RANKERS = "palate.generators", "palate.rankers"


def generators(stores: Stores) -> tuple[Generator, ...]:
    """The generators that ``[plugins] generators`` names, in that order."""
    names = stores.settings.plugins.generators
    return tuple(_found(GENERATORS, name, "generate").default(stores) for name in names)


def ranker(stores: Stores) -> Ranker | None:
    """The ranker that ``[plugins] ranker`` names; None where it names none."""
    name = stores.settings.plugins.ranker
    made: Ranker | None = _found(RANKERS, name, "score").default(stores) if name else None
    return made


def _found(group: str, name: str, method: str) -> Any:
    """A component's class. Raises BadInput where there is none, or it is none."""
    known = {each.name: each for each in entry_points(group=group)}
    if name not in known:
        there = f"there are {', '.join(sorted(known))}" if known else "none is installed"
        raise _wrong(group, f"no package brings {name!r} (entry points {group}); {there}")
    try:
        component = known[name].load()
    except (ImportError, AttributeError) as error:
        raise _wrong(group, f"{name!r} ({known[name].value}) cannot be loaded: {error}") from error
    lacking = [each for each in ("default", method) if not hasattr(component, each)]
    if lacking:
        raise _wrong(group, f"{name!r} ({known[name].value}) has no method {lacking[0]}")
    return component


def _wrong(group: str, problem: str) -> BadInput:
    key = "ranker" if group == RANKERS else "generators"
    return BadInput(f"[plugins] {key}: {problem}", [Problem(f"/plugins/{key}", problem)])

"""What is shown where: one file per surface, each a list of parts.

A surface is a module of this package with a function of the same name that builds its `Funnel` on
any set of stores; writing the file is all it takes.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from palate.errors import BadInput, Problem
from palate.funnel.engine import Funnel
from palate.stores import Stores
from palate.surfaces.overrides import overridden

NOT_SURFACES = {"__init__", "overrides", "plugins"}


def names() -> list[str]:
    """The surfaces there are, in alphabetical order."""
    files = Path(__file__).parent.glob("*.py")
    return sorted(file.stem for file in files if file.stem not in NOT_SURFACES)


def funnel(name: str, stores: Stores, changes: Mapping[str, Any] | None = None) -> Funnel:
    """One surface, with the settings' ``[surfaces.NAME]`` laid over it, and `changes` over both.

    Raises BadInput where there is no such surface, or no such number to change.
    """
    if name not in names():
        problem = f"there is no surface {name!r}; there are {', '.join(names())}"
        raise BadInput(problem, [Problem(f"/surfaces/{name}", problem)])
    built: Funnel = getattr(import_module(f"{__name__}.{name}"), name)(stores)
    wanted = {**stores.settings.surfaces.get(name, {}), **(changes or {})}
    return overridden(built, name, wanted)


def funnels(stores: Stores) -> dict[str, Funnel]:
    """Every surface by name. Raises BadInput where the settings name one that there is not."""
    for name in stores.settings.surfaces:
        if name not in names():
            funnel(name, stores)
    return {name: funnel(name, stores) for name in names()}

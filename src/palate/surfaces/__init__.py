"""What is shown where: one file per surface, each a list of parts.

A surface is a module of this package, or a file below the site's own folder ``surfaces/``, with a
function of the same name that builds its `Funnel` on any set of stores; writing the file is all it
takes.
"""

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from palate.errors import BadInput, Problem
from palate.funnel.engine import Funnel
from palate.reranking.hide_muted import HideMuted
from palate.reranking.hide_policy import HidePolicy
from palate.stores import Stores
from palate.surfaces import own
from palate.surfaces.overrides import overridden
from palate.surfaces.pages import check_pages

NEVER_WITHOUT = (HideMuted, HidePolicy)
NOT_SURFACES = {"__init__", "overrides", "plugins", "own", "pages"}


def names(home: Path | None = None) -> list[str]:
    """The surfaces there are, in alphabetical order; those of the site in `home` too."""
    files = Path(__file__).parent.glob("*.py")
    ours = {file.stem for file in files if file.stem not in NOT_SURFACES}
    return sorted(ours | set(own.files(home) if home else ()))


def funnel(name: str, stores: Stores, changes: Mapping[str, Any] | None = None) -> Funnel:
    """One surface, with the settings' ``[surfaces.NAME]`` laid over it, and `changes` over both.

    Whatever its file lists, it hides what may not be shown and whom a visitor sent away.
    Raises BadInput where there is no such surface, or no such number to change.
    """
    there = names(stores.settings.home)
    if name not in there:
        problem = f"there is no surface {name!r}; there are {', '.join(there)}"
        raise BadInput(problem, [Problem(f"/surfaces/{name}", problem)])
    built = _closed(_built(name, stores), stores)
    wanted = {**stores.settings.surfaces.get(name, {}), **(changes or {})}
    return overridden(built, name, wanted)


def funnels(stores: Stores) -> dict[str, Funnel]:
    """Every surface by name. Raises BadInput where the settings name one that there is not."""
    there = names(stores.settings.home)
    for name in stores.settings.surfaces:
        if name not in there:
            funnel(name, stores)
    check_pages(stores.settings, there)
    return {name: funnel(name, stores) for name in there}


def _built(name: str, stores: Stores) -> Funnel:
    file = own.files(stores.settings.home).get(name)
    if file is not None:
        return own.built(file, stores)
    made: Funnel = getattr(import_module(f"{__name__}.{name}"), name)(stores)
    return made


def _closed(built: Funnel, stores: Stores) -> Funnel:
    """With the filters that no surface goes without; what its file says of them stands."""
    lacking = tuple(
        each.default(stores)
        for each in NEVER_WITHOUT
        if not any(isinstance(known, each) for known in built.filters)
    )
    return replace(built, filters=(*built.filters, *lacking)) if lacking else built

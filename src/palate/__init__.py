"""Palate: a self-hosted recommendation engine, from events to a ranked and explained page.

The public API. A name is found when it is first used, so that `import palate` costs nothing; the
types stand in `__init__.pyi`.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "Site": "palate.site",
    "Item": "palate.catalog.item",
    "User": "palate.catalog.user",
    "Event": "palate.events.kinds",
    "Kind": "palate.events.kinds",
    "Query": "palate.funnel.types",
    "Candidates": "palate.funnel.types",
    "Pool": "palate.funnel.types",
    "Slate": "palate.funnel.types",
    "Reason": "palate.funnel.types",
    "Answer": "palate.funnel.types",
    "Generator": "palate.funnel.stages",
    "Filter": "palate.funnel.stages",
    "Ranker": "palate.funnel.stages",
    "Rule": "palate.funnel.stages",
    "Funnel": "palate.funnel.engine",
    "Recommendation": "palate.serving.bodies",
    "Release": "palate.releases.release",
    "Settings": "palate.settings",
    "Stores": "palate.stores",
    "PalateError": "palate.errors",
    "BadInput": "palate.errors",
    "NotFound": "palate.errors",
}
__all__ = ["__version__", *_HOMES]  # noqa: PLE0604


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'palate' has no attribute {name!r}")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)

"""Public data sets, read whole or not at all. To add one: a module with a `DATASET`."""

from importlib import import_module
from pkgutil import iter_modules

from palate.intake.datasets.dataset import Dataset


def found() -> dict[str, Dataset]:
    """Every data set of this package by name."""
    modules = [import_module(f"{__name__}.{m.name}") for m in iter_modules(__path__)]
    known = [m.DATASET for m in modules if hasattr(m, "DATASET")]
    return {each.name: each for each in sorted(known, key=lambda d: d.name)}

"""Is it good: one metric a file. A module with a `NAME` and a `measure` is a metric.

``measure(slates, k)`` gives one value per user, or a single value where the metric belongs to all
lists together (coverage, Gini). Accuracy is binary: an item was taken later or it was not.
"""

import pkgutil
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TypeAlias

from palate.arrays import Doubles
from palate.evaluation.slates import Slates

Measure: TypeAlias = Callable[[Slates, int], Doubles]


def discover() -> Mapping[str, Measure]:
    """Every metric of this folder by its name, in the order of their files."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    found = [import_module(f"{__name__}.{name}") for name in names]
    return {module.NAME: module.measure for module in found}

"""Find every component of a package, so that none can skip its conformance suite."""

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import Any


def components(package: ModuleType, method: str) -> list[type[Any]]:
    """Public classes defined under `package` which have `method`, in name order."""
    names = (m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + "."))
    modules = [importlib.import_module(name) for name in names]
    found = {
        cls
        for module in modules
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if cls.__module__ == module.__name__ and hasattr(cls, method) and cls.__name__[0] != "_"
    }
    return sorted(found, key=lambda cls: cls.__qualname__)

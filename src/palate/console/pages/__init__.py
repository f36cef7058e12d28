"""One page a file. A module here defines ``ROUTES``, and is found by being here."""

from importlib import import_module
from pkgutil import iter_modules

from litestar.handlers import HTTPRouteHandler


def routes() -> list[HTTPRouteHandler]:
    """Every page's handlers."""
    names = sorted(module.name for module in iter_modules(__path__))
    return [route for name in names for route in import_module(f"{__name__}.{name}").ROUTES]

"""The id in an address: all that follows the resource's name, just as it was sent.

An id may hold slashes: ``/v1/items/shelf/7`` and ``/v1/items/shelf%2F7`` both name ``shelf/7``. The
router's own reading of a path drops empty steps and a slash at the end, so the id is read anew.
"""

from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from litestar import Request

from palate.catalog.fields import WrongValueError, identifier
from palate.errors import BadInput, NotFound, Problem

T = TypeVar("T")


async def exact_id(request: Request[Any, Any, Any]) -> None:
    """Before a request: put the id as it was sent in the place of the router's."""
    names = list(request.scope["path_params"])
    if names:
        [name] = names
        # A dictionary of its own: the router remembers the one it gave.
        request.scope["path_params"] = {name: _sent(request, name)}


def known(found: T | None, what: str, name: str) -> T:
    """What was found, or NotFound that names it."""
    if found is None:
        raise NotFound(f"there is no {what} {name!r}")
    return found


def _sent(request: Request[Any, Any, Any], name: str) -> str:
    """What follows ``/items/`` or ``/users/`` in the path; BadInput where that is no id."""
    resource = f"/{name.removesuffix('_id')}s/".encode()
    raw = request.scope["raw_path"].partition(b"?")[0].partition(resource)[2]
    try:
        return identifier(unquote_to_bytes(raw).decode())
    except UnicodeDecodeError:
        problem = "an id in an address is UTF-8, percent-encoded"
    except WrongValueError as wrong:
        problem = str(wrong)
    raise BadInput(f"{name}: {problem}", [Problem(name, problem)])

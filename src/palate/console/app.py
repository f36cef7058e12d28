"""The worker's whole front: the API, and before it the storefront that lives on it.

``create`` is what the worker processes run; the site's folder comes in ``PALATE_SITE``.
"""

import logging
import os
from pathlib import Path
from typing import Any, cast

import httpx
from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.static_files import create_static_files_router
from litestar.types import ASGIApp, Receive, Scope, Send

from palate.clock import Clock, SystemClock
from palate.console.api import Api
from palate.console.pages import routes
from palate.console.visitor import COOKIE, Visitor
from palate.console.window import STATIC, Window
from palate.errors import PalateError
from palate.serving import app as serving
from palate.serving.environment import SITE
from palate.serving.processes.refusing import refusing
from palate.settings import Settings
from palate.settings_files import load

API = frozenset({"v1", "schema", "docs", "openapi.json", "livez", "readyz", "metrics"})
"""Where the paths of the API begin."""
OURS = frozenset({"static"} | {path.split("/")[1] for route in routes() for path in route.paths})
"""Where the paths of the storefront begin; it also answers browsers that are lost."""
LOST, FAULT = 404, 500
FAULT_WORDS = "something went wrong here; the log knows what"
log = logging.getLogger("palate.console")


def create() -> ASGIApp:
    """The app of a worker process."""
    with refusing():
        settings = load(Path(os.environ.get(SITE, ".")), os.environ)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the storefront calls its own process
    return front(serving.create(settings), settings, SystemClock())


def front(api: ASGIApp, settings: Settings, clock: Clock) -> ASGIApp:
    """The API with the storefront before it; the API alone once the site has keys.

    The storefront acts for whoever opens it, in anybody's name, and so would a stranger without a
    key: it is for a person at their own machine.
    """
    return api if settings.serving.api_keys else Front(api, settings, clock)


class Front:
    """Sends each request to the storefront or to the API; the API owns start and end."""

    def __init__(self, api: ASGIApp, settings: Settings, clock: Clock) -> None:
        self._api = api
        self._pages = storefront(api, settings, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ours = "path" in scope and _for_people(scope)  # a lifespan has none, and is the API's
        await (self._pages if ours else self._api)(scope, receive, send)


def _for_people(scope: Scope) -> bool:
    """Whether the storefront answers: its own paths, and a browser's on paths that are nobody's."""
    first = scope["path"].split("/", 2)[1] if scope["path"].startswith("/") else ""
    if first in API or first in OURS:
        return first in OURS
    accept = dict(scope["headers"]).get(b"accept", b"")
    return b"text/html" in accept


def storefront(api: ASGIApp, settings: Settings, clock: Clock) -> Litestar:
    """The pages, over the API in this very process."""
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(cast("Any", api)),  # two spellings of ASGI
        base_url="http://storefront",
    )
    window = Window.onto(Api(client), clock, settings)
    return Litestar(
        [*routes(), create_static_files_router("/static", [STATIC], cache_control=None)],
        dependencies={
            "window": Provide(lambda: window, sync_to_thread=False),
            "visitor": Provide(looking, sync_to_thread=False),
        },
        exception_handlers={PalateError: _sorry, HTTPException: _sorry, Exception: _fault},
        state=State({"window": window}),
        openapi_config=None,
        logging_config=None,
    )


def looking(request: Request[Any, Any, State]) -> Visitor:
    """Whoever the cookie names, or somebody new."""
    clock: Clock = request.app.state.window.clock
    return Visitor.of(request.cookies.get(COOKIE)) or Visitor.fresh(clock)


def _sorry(request: Request[Any, Any, State], error: PalateError | HTTPException) -> Response[str]:
    window: Window = request.app.state.window
    status = error.status if isinstance(error, PalateError) else error.status_code
    visitor = Visitor.of(request.cookies.get(COOKIE)) or Visitor()
    return window.problem(visitor, _told(window, request.url.path, status, error.detail), status)


def _fault(request: Request[Any, Any, State], error: Exception) -> Response[str]:
    """A fault of ours: logged with its trace, and said without internals."""
    log.error("fault in %s %s", request.method, request.url.path, exc_info=error)
    return _sorry(request, HTTPException(status_code=FAULT, detail=FAULT_WORDS))


def _told(window: Window, path: str, status: int, detail: str) -> dict[str, object]:
    """Title and sentence of an error's page."""
    if status != LOST:
        return {"title": "That did not work", "detail": f"{_sentence(detail)}."}
    if path.startswith("/item/"):
        words = "It may have been taken out of the catalogue, or the address is mistyped."
        return {"title": f"There is no such {window.site.noun}", "detail": words}
    said = f"Nothing is at {path}" if detail.casefold() == "not found" else _sentence(detail)
    return {"title": "There is no such page", "detail": f"{said}."}


def _sentence(detail: str) -> str:
    return f"{detail[:1].upper()}{detail[1:]}"

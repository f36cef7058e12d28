"""The HTTP application: the routes of one site, its errors, its keys, its life from open to close.

It is an ASGI application and runs under Granian and Uvicorn alike. A worker process makes its own
with `create_from_environment`, from the site's folder in ``PALATE_SITE``.
"""

import gc
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
)
from pathlib import Path

from litestar import Litestar
from litestar.exceptions import HTTPException
from litestar.router import Router
from litestar.types import ControllerRouterHandler, Guard

from palate.catalog.database import bound_pages
from palate.clock import Clock, SystemClock
from palate.errors import BadInput, PalateError
from palate.serving.auth import RequireKey
from palate.serving.environment import SERVER, SITE
from palate.serving.forgetting import resume
from palate.serving.observing.blocking import blocks_told
from palate.serving.observing.logs import speak
from palate.serving.pacing.rates import LimitRates
from palate.serving.pacing.watchdog import watched
from palate.serving.problems import fault, http_problem, known_parameters, palate_problem
from palate.serving.processes.handover import on_duty
from palate.serving.processes.hanging import Hanging
from palate.serving.processes.refusing import refusing
from palate.serving.processes.rehearsal import rehearse
from palate.serving.routes import (
    events,
    health,
    history,
    items,
    ledger,
    onboarding,
    pages,
    recommendations,
    rules,
    traces,
    users,
    why,
)
from palate.serving.runtime import Runtime, attach, running
from palate.serving.schema.openapi import configuration, docs, openapi_json
from palate.serving.tether import tie_to_parent
from palate.settings import ServingSettings, Settings
from palate.settings_files import load
from palate.stores import Stores

STARTING = 2
"""So many times longer may a worker stand still that starts: it loads and compiles."""
SWITCH_SECONDS = 0.0005
"""How long a background thread may keep the event loop waiting for the interpreter."""

COLLECTED = (700, 4, 50)
"""When the collector goes through what is new, and how often further: smaller steps than its own,
of which the middle one took up to 3.6 ms of an answer."""


def create(
    settings: Settings,
    *,
    routes: Sequence[ControllerRouterHandler] = (),
    clock: Clock | None = None,
    stores: Stores | None = None,
) -> Litestar:
    """The application of a site; `routes` are served beside the API.

    The site is opened when the application starts and closed when it ends (ASGI lifespan), unless
    `stores` hands over an open one.
    """

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        _prepare_worker(settings)
        hanging, stuck = Hanging.of_worker(), settings.serving.stuck_seconds
        opening = running(settings, clock or SystemClock(), stores, hanging)
        async with _watched(stuck * STARTING, hanging.blame), AsyncExitStack() as site:
            with refusing():
                runtime = await site.enter_async_context(opening)
            attach(app, runtime)
            resume(runtime)
            await rehearse(runtime)
            _settle()
            async with _watched(stuck):
                with on_duty(app), _observed(runtime):
                    yield

    return Litestar(
        route_handlers=[
            _api(settings),
            health.livez,
            health.readyz,
            health.metrics,
            docs,
            openapi_json,
            *routes,
        ],
        lifespan=[lifespan],
        guards=[known_parameters],
        exception_handlers={
            PalateError: palate_problem,
            HTTPException: http_problem,
            Exception: fault,
        },
        request_max_body_size=settings.serving.max_body_bytes,
        openapi_config=configuration(),
        logging_config=None,
    )


def create_from_environment() -> Litestar:
    """The application of the site in ``PALATE_SITE``: what a worker process runs."""
    site = os.environ.get(SITE)
    if not site:
        raise BadInput(f"{SITE} is not set: start workers with `palate serve`")
    with refusing():
        return create(load(Path(site), os.environ))


def _prepare_worker(settings: Settings) -> None:
    """In a worker process: end with the server, say what happens, keep SQLite in bounds."""
    server = os.environ.get(SERVER)
    if server:
        bound_pages()
        tie_to_parent(int(server))
        sys.setswitchinterval(SWITCH_SECONDS)
        speak(settings.serving.log)


def _watched(
    seconds: float, last: Callable[[], object] = bool
) -> AbstractAsyncContextManager[None]:
    """In a worker process: one that stands still is ended, and started anew."""
    return watched(seconds, last) if os.environ.get(SERVER) and seconds else nullcontext()


def _observed(runtime: Runtime) -> AbstractContextManager[None]:
    """In a worker process: what keeps its loop is counted."""
    if not os.environ.get(SERVER):
        return nullcontext()
    return blocks_told(runtime.meters.blocked, lambda: runtime.pacer.answers)


def _settle() -> None:
    """In a worker process: what is there now stays, so that the collector need not go through it.

    It would hold up every tenth request.
    """
    if os.environ.get(SERVER):
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECTED)


def _api(settings: Settings) -> Router:
    return Router(
        "/v1",
        route_handlers=[
            recommendations.router,
            pages.router,
            events.router,
            onboarding.router,
            items.router,
            users.router,
            history.router,
            ledger.router,
            traces.router,
            why.router,
            rules.router,
        ],
        guards=_guards(settings.serving),
    )


def _guards(settings: ServingSettings) -> list[Guard]:
    """Who may ask, then how often."""
    known: list[Guard] = [RequireKey(settings.api_keys)]
    return [*known, LimitRates(settings)] if LimitRates.wanted(settings) else known

"""``/v1/why``: what became of an item, on any visitor's page, were it asked for now."""

import asyncio
from time import perf_counter
from typing import Any

from litestar import Request, get, post
from litestar.params import FromPath, FromQuery
from litestar.router import Router
from msgspec.structs import replace

from palate.errors import BadInput, NotFound, Problem
from palate.funnel.budget import Plan
from palate.funnel.engine import Funnel
from palate.funnel.types import Query
from palate.funnel.whereabouts import Whereabouts
from palate.serving.bodies import DEFAULT_LIMIT, Wonder
from palate.serving.recommend import query_of
from palate.serving.routes.asking import asked, check, heard
from palate.serving.runtime import Runtime, runtime_of
from palate.serving.tracing.whynot import WhyBody, Wondering, follow, why_body
from palate.serving.visitors import languages, who
from palate.serving.wording.spoken import SPOKEN
from palate.surfaces.overrides import certain


@get("/{surface:str}", operation_id="why")
async def why(  # noqa: PLR0913, PLR0917  the query string's parameters
    request: Request[Any, Any, Any],
    surface: FromPath[str],
    item_id: FromQuery[str],
    user_id: FromQuery[str] = "",
    session_id: FromQuery[str] = "",
    seed_item_id: FromQuery[str] = "",
    limit: FromQuery[int] = DEFAULT_LIMIT,
    region: FromQuery[str] = "",
    age: FromQuery[int | None] = None,
    filter: FromQuery[str] = "",  # noqa: A002  the parameter's name on the wire
    language: FromQuery[str] = "",
) -> WhyBody:
    """Why an item is on the page, or at which stage it was lost and what would change that.

    The page is the one that would be given now, without what is left to chance; nothing is logged.
    """
    wonder = Wonder(
        surface=surface,
        user_id=user_id,
        session_id=session_id,
        item_id=item_id,
        seed_item_id=seed_item_id,
        limit=limit,
        region=region,
        age=age,
        filter=filter,
        language=language,
    )
    heard(request.headers)
    return await told(runtime_of(request), wonder)


@post("/{surface:str}", operation_id="why_with_context", status_code=200)
async def why_with_context(request: Request[Any, Any, Any], surface: FromPath[str]) -> WhyBody:
    """The same with a body: whatever a request for a slate may say, `context` and `exclude` too.

    `item_id` is the item that is asked about, `seed_item_id` the one on screen.
    """
    wonder = asked(await request.body(), Wonder)
    heard(request.headers)
    return await told(runtime_of(request), replace(wonder, surface=surface), at="/")


async def told(runtime: Runtime, wonder: Wonder, at: str = "") -> WhyBody:
    """Follow the item; `at` comes before the names of fields that are wrong."""
    ask = wonder.ask
    check(ask, runtime.settings.serving.max_limit, at, "seed_item_id")
    funnel = runtime.live.funnel(ask.surface)
    row = await _row(runtime, wonder.item_id, at)
    query = await query_of(runtime, ask)
    steered = certain(runtime.rules.program.steer(funnel, query))
    with runtime.aside.place():
        plan = Plan(ends=perf_counter() + runtime.settings.serving.why_ms / 1e3)
        found = await runtime.aside.run(_followed, steered, query, row, plan)
    about = found.reason.rows if found.reason else ()
    names = await runtime.names.of([row, *about])
    words = runtime.wordings.of(*languages(wonder, query), *SPOKEN.get())
    return why_body(runtime.stores, Wondering(who(ask), query, row, words), found, names)


async def _row(runtime: Runtime, item_id: str, at: str) -> int:
    if not item_id:
        what = "which item? name the one that is asked about"
        raise BadInput(f"item_id: {what}", [Problem(f"{at}item_id", what)])
    [row] = await runtime.names.rows([item_id])
    if row < 0:
        raise NotFound(f"there is no item {item_id!r}: neither in the catalogue nor in an event")
    return row


def _followed(funnel: Funnel, query: Query, row: int, plan: Plan) -> Whereabouts:
    """Off the event loop: the funnel runs several times."""
    return asyncio.run(follow(funnel, query, row, plan))


router = Router("/why", route_handlers=[why, why_with_context], tags=["Traces"])

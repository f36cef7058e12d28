"""``/v1/recommendations``: what to show."""

from typing import Any

from litestar import Request, get, post
from litestar.params import FromPath, FromQuery
from litestar.router import Router
from msgspec.structs import replace

from palate.errors import BadInput, Problem
from palate.serving.bodies import DEFAULT_LIMIT, Ask, Recommendation
from palate.serving.observing.logs import ABOUT
from palate.serving.pacing.door import HOME, Door, turn_of
from palate.serving.recommend import Recommending, recommendation_id
from palate.serving.routes.asking import asked, check, heard
from palate.serving.runtime import runtime_of


@get("/{surface:str}", operation_id="recommend")
async def recommend(  # noqa: PLR0913, PLR0917  the query string's parameters
    request: Request[Any, Any, Any],
    surface: FromPath[str],
    user_id: FromQuery[str] = "",
    session_id: FromQuery[str] = "",
    item_id: FromQuery[str] = "",
    limit: FromQuery[int] = DEFAULT_LIMIT,
    cursor: FromQuery[str] = "",
    region: FromQuery[str] = "",
    age: FromQuery[int | None] = None,
    filter: FromQuery[str] = "",  # noqa: A002  the parameter's name on the wire
    budget_ms: FromQuery[int | None] = None,
    language: FromQuery[str] = "",
) -> Recommendation:
    """A slate for a visitor: ranked, composed and explained.

    Name the visitor by `user_id`, or by `session_id` where there is no account. `item_id` is the
    item on screen, needed by `more_like_this`. `next` of an answer is the next page's `cursor`.
    `filter` is a condition on items: `year >= 2000 and "drama" in categories`.
    """
    ask = Ask(
        surface=surface,
        user_id=user_id,
        session_id=session_id,
        item_id=item_id,
        limit=limit,
        cursor=cursor,
        region=region,
        age=age,
        filter=filter,
        budget_ms=budget_ms,
        language=language,
    )
    return await answered(request, ask)


@post("/", operation_id="recommend_with_context", status_code=200)
async def recommend_with_context(request: Request[Any, Any, Any]) -> Recommendation:
    """The same with a body: adds `context`, and `exclude` (item ids that must not come back)."""
    ask = asked(await request.body(), Ask)
    return await answered(request, replace(ask, surface=ask.surface or HOME), at="/")


@post("/{surface:str}", operation_id="recommend_on_surface", status_code=200)
async def recommend_on_surface(
    request: Request[Any, Any, Any], surface: FromPath[str]
) -> Recommendation:
    """The same with a body, the surface in the path."""
    ask = asked(await request.body(), Ask)
    if ask.surface not in {"", surface}:
        what = f"the path says {surface}, the body {ask.surface}; say it once"
        raise BadInput(f"surface: {what}", [Problem("/surface", what)])
    return await answered(request, replace(ask, surface=surface), at="/")


async def answered(request: Request[Any, Any, Any], ask: Ask, at: str = "") -> Recommendation:
    """Answer one request for a slate; `at` comes before the names of fields that are wrong."""
    runtime = runtime_of(request)
    check(ask, runtime.settings.serving.max_limit, at)
    now, draw = runtime.clock.now(), runtime.clock.draw()
    name = recommendation_id(now, draw)
    request.scope["state"]["recommendation_id"] = name
    ABOUT.set(name)
    heard(request.headers)
    turn = turn_of(request)
    turn.wish(ask.budget_ms)
    return await Recommending(runtime, ask, name, now, turn).answer(draw)


router = Router(
    "/recommendations",
    route_handlers=[recommend, recommend_with_context, recommend_on_surface],
    middleware=[Door()],
    tags=["Recommendations"],
)

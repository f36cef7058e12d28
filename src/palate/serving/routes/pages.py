"""``/v1/pages``: a whole page of rows in one answer."""

from typing import Any

from litestar import Request, get, post
from litestar.params import FromPath, FromQuery
from litestar.router import Router
from msgspec.structs import asdict

from palate.serving.bodies import DEFAULT_LIMIT, Ask, PageAsk, PageBody
from palate.serving.composing import Composing
from palate.serving.pacing.door import Door, turn_of
from palate.serving.routes.asking import asked, check, heard
from palate.serving.runtime import runtime_of


@get("/{page:str}", operation_id="compose_page")
async def compose_page(  # noqa: PLR0913, PLR0917  the query string's parameters
    request: Request[Any, Any, Any],
    page: FromPath[str],
    user_id: FromQuery[str] = "",
    session_id: FromQuery[str] = "",
    limit: FromQuery[int] = DEFAULT_LIMIT,
    region: FromQuery[str] = "",
    age: FromQuery[int | None] = None,
    filter: FromQuery[str] = "",  # noqa: A002  the parameter's name on the wire
    language: FromQuery[str] = "",
) -> PageBody:
    """A page of rows, chosen and ordered for a visitor; no item stands on it twice.

    `limit` is of each row. Every row is a slate with its own `recommendation_id`; rows that would
    be nearly empty are left out. Which surfaces may be rows is set in `[pages.NAME]`.
    """
    ask = Ask(
        surface=page,
        user_id=user_id,
        session_id=session_id,
        limit=limit,
        region=region,
        age=age,
        filter=filter,
        language=language,
    )
    return await _composed(request, ask)


@post("/{page:str}", operation_id="compose_page_with_context", status_code=200)
async def compose_page_with_context(
    request: Request[Any, Any, Any], page: FromPath[str]
) -> PageBody:
    """The same with a body: adds `context`, and `exclude` (item ids that must not come back)."""
    said = asdict(asked(await request.body(), PageAsk))
    return await _composed(request, Ask(surface=page, **said), at="/")


async def _composed(request: Request[Any, Any, Any], ask: Ask, at: str = "") -> PageBody:
    runtime = runtime_of(request)
    check(ask, runtime.settings.serving.max_limit, at)
    heard(request.headers)
    return await Composing(runtime, ask).answer(turn_of(request))


router = Router(
    "/pages",
    route_handlers=[compose_page, compose_page_with_context],
    middleware=[Door(pages=True)],
    tags=["Recommendations"],
)

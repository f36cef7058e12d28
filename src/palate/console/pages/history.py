"""What you did: the part of the log that the next page is made from."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency

from palate.console.deeds import by_day
from palate.console.visitor import Visitor
from palate.console.window import Window


@get("/history")
async def history(
    request: Request[Any, Any, Any],
    window: NamedDependency[Window],
    visitor: NamedDependency[Visitor],
) -> Response[str]:
    """The page, newest first, day by day."""
    deeds = await window.api.history(visitor)
    days = by_day(deeds, window.clock.now(), window.site.viewed)
    return await window.page("history.html", request, visitor, {"days": days})


ROUTES = [history]

"""Why an item was on a page: the reason in a sentence, then everything the funnel did."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from palate.console.absence import absence
from palate.console.shelves import HOME
from palate.console.story import story
from palate.console.visitor import Visitor
from palate.console.window import Window


@get("/why/{recommendation_id:str}/{item_id:path}")
async def why(
    request: Request[Any, Any, Any],
    window: NamedDependency[Window],
    visitor: NamedDependency[Visitor],
    recommendation_id: FromPath[str],
    item_id: FromPath[str],
    panel: FromQuery[int] = 0,
) -> Response[str]:
    """A page of its own, or with `panel=1` what fits into a dialog."""
    trace = await window.api.trace(recommendation_id)
    told = story(trace, item_id.removeprefix("/"), window.site)
    facts = {"story": told, "panel": bool(panel)}
    if panel:
        return window.fragment("story.html", facts)
    return await window.page("why.html", request, visitor, facts)


@get("/why-not/{item_id:path}")
async def why_not(
    request: Request[Any, Any, Any],
    window: NamedDependency[Window],
    visitor: NamedDependency[Visitor],
    item_id: FromPath[str],
) -> Response[str]:
    """Whether an item is on this visitor's Home now, or where it was lost, and its cure."""
    told = await window.api.why(HOME, visitor, item_id.removeprefix("/"))
    return await window.page("why_not.html", request, visitor, {"told": absence(told, visitor)})


ROUTES = [why, why_not]

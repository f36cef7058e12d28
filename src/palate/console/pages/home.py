"""The front page, and each of its rows alone for a page that keeps itself up to date."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from palate.console.shelves import BECAUSE, HOME, TRENDING, shelf, shelves
from palate.console.visitor import Visitor
from palate.console.window import Window, describe
from palate.errors import PalateError


@get("/")
async def home(
    request: Request[Any, Any, Any],
    window: NamedDependency[Window],
    visitor: NamedDependency[Visitor],
) -> Response[str]:
    """The whole page."""
    rows = await shelves(window, (HOME, BECAUSE, TRENDING), visitor)
    met = any(row.cards for row in rows if row.surface == BECAUSE)
    greeting, lead = await _words(window, visitor, met=met)
    return await window.page(
        "home.html", request, visitor, {"rows": rows, "greeting": greeting, "lead": lead}
    )


@get("/row/{surface:str}")
async def row(
    window: NamedDependency[Window],
    visitor: NamedDependency[Visitor],
    surface: FromPath[str],
    item_id: FromQuery[str] = "",
    back: FromQuery[str] = "/",
) -> Response[str]:
    """One row, as the visitor would get it now."""
    facts = {"row": await shelf(window, surface, visitor, item_id), "here": back}
    return window.fragment("row.html", facts)


async def _words(window: Window, visitor: Visitor, *, met: bool) -> tuple[str, str]:
    if not visitor.user_id and met:
        return "Hello again.", (
            "Everything below follows from what you did here. Go on: "
            "the rows are asked for anew and answer within a second."
        )
    if not visitor.user_id:
        return "Hello, stranger.", (
            f"Open some {window.site.nouns}, like a few, wave others away: what you do is all "
            "that is known of you, and the rows below answer within a second."
        )
    try:
        profile = describe(await window.api.user(visitor.user_id))
    except PalateError:
        profile = ""
    known = f"{profile}. " if profile else ""
    return f"Hello, user {visitor.user_id}.", (
        f"{known}Everything below comes from what this user did before. "
        "Do something in their name and see what moves."
    )


ROUTES = [home, row]

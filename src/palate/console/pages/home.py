"""The front page, and each of its rows alone for a page that keeps itself up to date."""

from typing import Any, NamedTuple

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from palate.console.api import Json
from palate.console.pages.visitor import Mistake
from palate.console.shelves import BECAUSE, HOME, ONBOARDING, TRENDING, shelf, shelves
from palate.console.visitor import Visitor
from palate.console.window import Window, describe
from palate.errors import PalateError

ENOUGH = 3
"""Acts from which a stranger is not asked for picks any more."""


class Words(NamedTuple):
    """A greeting, and when it is the right one: before or after the first act, or `always`."""

    when: str
    now: bool
    greeting: str
    lead: str


@get("/")
async def home(
    request: Request[Any, Any, Any],
    window: NamedDependency[Window],
    visitor: NamedDependency[Visitor],
    wrong: FromQuery[str] = "",
    user_id: FromQuery[str] = "",
) -> Response[str]:
    """The whole page; `wrong` says what was wrong with the `user_id` that somebody chose."""
    done = [] if visitor.user_id else await window.api.history(visitor)
    asks = not visitor.user_id and len(done) < ENOUGH
    rows = (HOME, *((ONBOARDING,) if asks else ()), BECAUSE, TRENDING)
    facts = {
        "rows": await shelves(window, rows, visitor),
        "intro": await _intro(window, visitor, done),
        "wrong": Mistake.of(wrong, user_id),
        "here": "/",
    }
    return await window.page("home.html", request, visitor, facts)


@get("/row/{surface:str}")
async def row(
    window: NamedDependency[Window],
    visitor: NamedDependency[Visitor],
    surface: FromPath[str],
    item_id: FromQuery[str] = "",
    back: FromQuery[str] = "/",
    above: FromQuery[list[str] | None] = None,
) -> Response[str]:
    """One row, as the visitor would get it now; `item_id` is the item on screen.

    What stands `above` it on the page is not in it again.
    """
    facts = {"row": await shelf(window, surface, visitor, item_id, above or ()), "here": back}
    return window.fragment("row.html", facts)


async def _intro(window: Window, visitor: Visitor, done: list[Json]) -> list[Words]:
    if visitor.user_id:
        return [await _to_user(window, visitor)]
    met = bool(done)
    return [
        Words(
            "before",
            not met,
            "Hello, stranger.",
            f"Open some {window.site.nouns}, like a few, wave others away: what you do is all "
            "that is known of you, and the rows below answer within a second.",
        ),
        Words(
            "after",
            met,
            "Hello again.",
            "Everything below follows from what you did here. Go on: "
            "the rows are asked for anew and answer within a second.",
        ),
    ]


async def _to_user(window: Window, visitor: Visitor) -> Words:
    try:
        profile = describe(await window.api.user(visitor.user_id))
    except PalateError:
        profile = ""
    known = f"{profile}. " if profile else ""
    lead = (
        f"{known}Everything below comes from what this user did before. "
        "Do something in their name and see what moves."
    )
    return Words("always", now=True, greeting=f"Hello, user {visitor.user_id}.", lead=lead)


ROUTES = [home, row]

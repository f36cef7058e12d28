"""An item's own page: what it is, what to do with it, and what is like it."""

from typing import Any
from urllib.parse import quote

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from palate.console.api import Json
from palate.console.cards import card_of
from palate.console.deeds import kinds_done
from palate.console.shelves import HOME, MORE, shelves
from palate.console.visitor import Visitor
from palate.console.window import Window

SHOWN_BY_ITSELF = {"year"}


@get("/item/{item_id:path}")
async def item(  # noqa: PLR0913, PLR0917  one argument a parameter of the address
    request: Request[Any, Any, Any],
    window: NamedDependency[Window],
    visitor: NamedDependency[Visitor],
    item_id: FromPath[str],
    recommendation_id: FromQuery[str] = "",
    surface: FromQuery[str] = "",
    position: FromQuery[int] = 0,
) -> Response[str]:
    """The page; coming from a card it counts one click, however often it is loaded again."""
    name = item_id.removeprefix("/")
    shown = await window.api.item(name, window.clock.now())
    if recommendation_id:
        await window.api.send(
            click(visitor, name, recommendation_id)
            | {"surface": surface, "position": max(0, position)}
        )
    facts = {
        "card": card_of(shown),
        "text": shown.get("text", ""),
        "details": details(shown),
        "opened": recommendation_id,
        "surface": surface,
        "position": position,
        "done": kinds_done(await window.api.history(visitor), name),
        "why": f"/why/{quote(recommendation_id)}/{quote(name)}" if recommendation_id else "",
        "rows": await shelves(window, (MORE, HOME), visitor, name),
        "creator": shown.get("creator_id", ""),
    }
    return await window.page("item.html", request, visitor, facts)


def click(visitor: Visitor, item_id: str, recommendation_id: str) -> Json:
    """A click through from a slate; its id makes a second load of the page the same event."""
    return visitor.query() | {
        "event_id": f"click:{recommendation_id}:{item_id}",
        "kind": "click",
        "item_id": item_id,
        "recommendation_id": recommendation_id,
    }


def details(item: Json) -> list[tuple[str, str]]:
    """The item's own fields, in words."""
    listed: dict[str, Any] = {
        "Kind": item.get("kind"),
        "Tags": item.get("tags"),
        "Published": str(item.get("published_at") or "")[:10],
        "From age": item.get("min_age"),
        "Regions": item.get("regions"),
        **{
            name.replace("_", " ").capitalize(): value
            for name, value in item.get("attributes", {}).items()
            if name not in SHOWN_BY_ITSELF
        },
    }
    return [(name, _plain(value)) for name, value in listed.items() if value] + [
        ("Id", str(item["item_id"]))
    ]


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


ROUTES = [item]

"""Buttons without script: an event, then back to where it was sent from."""

from dataclasses import dataclass
from typing import Annotated

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Redirect

from palate.console.api import Json
from palate.console.visitor import Visitor
from palate.console.window import Window


@dataclass(frozen=True, slots=True)
class Act:
    """The form around a card's buttons."""

    kind: str
    item_id: str
    recommendation_id: str = ""
    surface: str = ""
    position: int = 0
    creator_id: str = ""
    """Whom a follow or a hide is about."""
    back: str = "/"


@post("/act")
async def act(
    window: NamedDependency[Window],
    visitor: NamedDependency[Visitor],
    data: Annotated[Act, Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> Response[None]:
    """Send the event through the public API and return."""
    await window.api.send(event_of(visitor, data))
    return Redirect(own_path(data.back), status_code=303)


def event_of(visitor: Visitor, act: Act) -> Json:
    """What the API is told; what the form left empty is left out."""
    told = {
        "recommendation_id": act.recommendation_id,
        "surface": act.surface,
        "position": act.position,
        "value": 1.0 if act.kind == "view" else None,
        "properties": {"creator_id": act.creator_id} if act.creator_id else None,
    }
    said = {name: value for name, value in told.items() if value}
    return visitor.query() | {"kind": act.kind, "item_id": act.item_id} | said


def own_path(path: str) -> str:
    """`path`, unless it would lead off this site."""
    safe = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if safe else "/"


ROUTES = [act]

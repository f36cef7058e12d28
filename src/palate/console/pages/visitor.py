"""Choosing who to be: a real user by id, any of them, or somebody new."""

from dataclasses import dataclass
from typing import Annotated

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Redirect

from palate.clock import Clock
from palate.console.visitor import Visitor
from palate.console.window import Window, remembering
from palate.errors import BadInput, NotFound

SURPRISES = 1_000


@dataclass(frozen=True, slots=True)
class Choice:
    """The form: an id, or a wish."""

    user_id: str = ""
    choose: str = ""


@post("/visitor")
async def choose(
    window: NamedDependency[Window],
    data: Annotated[Choice, Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> Response[None]:
    """Remember the choice and go to the front page."""
    answer = Redirect("/", status_code=303)
    answer.cookies.append(remembering(await _chosen(window, data)))
    return answer


async def _chosen(window: Window, choice: Choice) -> Visitor:
    if choice.choose == "surprise":
        return await _any_user(window)
    if choice.choose == "new":
        return Visitor.fresh(window.clock)
    name = choice.user_id.strip()
    if not name:
        raise BadInput("no user was named: type an id, or be a new visitor")
    await window.api.user(name)
    return Visitor(user_id=name)


async def _any_user(window: Window) -> Visitor:
    users = await window.api.users("", SURPRISES)
    if not users:
        raise NotFound("the site has no users yet: import some, or be a new visitor")
    return Visitor(user_id=users[_roll(window.clock, len(users))]["user_id"])


def _roll(clock: Clock, sides: int) -> int:
    return clock.draw() % sides


ROUTES = [choose]

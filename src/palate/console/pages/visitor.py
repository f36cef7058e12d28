"""Choosing who to be: a real user by id, any of them, or somebody new."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple
from urllib.parse import urlencode

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
SHOWN = 60
"""So much of a wrong id is shown again."""
MISTAKES = {
    "empty": "Type an id first, or be a new visitor.",
    "unknown": "There is no user “{}”. Ids are suggested as you type.",
    "nobody": "The site has no users yet: import some, or be a new visitor.",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """The form: an id, or a wish."""

    user_id: str = ""
    choose: str = ""


class Mistake(NamedTuple):
    """What was wrong with a choice, for the form it came from."""

    user_id: str
    says: str

    @classmethod
    def of(cls, wrong: str, user_id: str) -> "Mistake | None":
        """From the address that a wrong choice leads to; None where nothing was wrong."""
        name = user_id[:SHOWN]
        return cls(name, MISTAKES[wrong].format(name)) if wrong in MISTAKES else None


@post("/visitor")
async def choose(
    window: NamedDependency[Window],
    data: Annotated[Choice, Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> Response[None]:
    """Remember the choice and go to the front page; a wrong one is said there, under its field."""
    chosen = await _chosen(window, data)
    if isinstance(chosen, str):
        wrong = urlencode({"wrong": chosen, "user_id": data.user_id.strip()})
        return Redirect(f"/?{wrong}", status_code=303)
    answer = Redirect("/", status_code=303)
    answer.cookies.append(remembering(chosen))
    return answer


async def _chosen(window: Window, choice: Choice) -> Visitor | str:
    """The visitor, or which of MISTAKES it was."""
    if choice.choose == "new":
        return Visitor.fresh(window.clock)
    if choice.choose == "surprise":
        users = await window.api.users("", SURPRISES)
        return Visitor(users[_roll(window.clock, len(users))]["user_id"]) if users else "nobody"
    name = choice.user_id.strip()
    if not name:
        return "empty"
    try:
        await window.api.user(name)
    except (NotFound, BadInput):
        return "unknown"
    return Visitor(user_id=name)


def _roll(clock: Clock, sides: int) -> int:
    return clock.draw() % sides


ROUTES = [choose]

"""``/v1/onboarding``: what a newcomer is asked, and what they answered."""

import asyncio
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from litestar import Request, get, post
from litestar.params import FromQuery
from litestar.router import Router

from palate.errors import BadInput, Problem
from palate.events.kinds import Event, Kind
from palate.serving.bodies import Ask, Picks, Recommendation
from palate.serving.pacing.door import Door
from palate.serving.routes.asking import asked, check
from palate.serving.routes.recommendations import answered
from palate.serving.runtime import Runtime, runtime_of
from palate.serving.schema.documents import EventsAccepted
from palate.serving.visitors import who as named

SURFACE, LIMIT, DAY = "onboarding", 12, 86_400.0
MOST = 100
"""Picks that are taken at once."""


@get("/", operation_id="onboard", middleware=[Door(SURFACE)])
async def onboard(  # noqa: PLR0913, PLR0917  the query string's parameters
    request: Request[Any, Any, Any],
    user_id: FromQuery[str] = "",
    session_id: FromQuery[str] = "",
    limit: FromQuery[int] = LIMIT,
    region: FromQuery[str] = "",
    age: FromQuery[int | None] = None,
    filter: FromQuery[str] = "",  # noqa: A002  the parameter's name on the wire
    language: FromQuery[str] = "",
) -> Recommendation:
    """Ask "pick a few you like": items that many know and whose choice tells most of a taste.

    Policy, rules and `filter` hold as everywhere. It is no recommendation: nothing is logged as
    shown, so no click rate suffers from what was not picked.
    """
    ask = Ask(
        surface=SURFACE,
        user_id=user_id,
        session_id=session_id,
        limit=limit,
        region=region,
        age=age,
        filter=filter,
        language=language,
    )
    return await answered(request, ask)


@post("/", operation_id="send_picks", status_code=202)
async def send_picks(request: Request[Any, Any, Any]) -> EventsAccepted:
    """What a newcomer picked: durable when answered, and in their next slate within a second.

    Each pick becomes an event of the kind `pick`. It makes the visitor's taste as a like does, and
    counts for no item: neither popularity nor click rates nor co-visitation know of it. The same
    pick sent again on the same day counts once.
    """
    runtime = runtime_of(request)
    picks = _read(await request.body())
    await _known(runtime, picks)
    ask = Ask(user_id=picks.user_id, session_id=picks.session_id)
    events = picked(ask, picks.picks, runtime.clock.now(), picks.recommendation_id)
    done = await runtime.commit.append(events)
    runtime.meters.events([Kind.PICK.name.lower()] * len(events))
    return EventsAccepted(accepted=done.accepted, duplicates=done.duplicates)


def _read(raw: bytes) -> Picks:
    picks = asked(raw, Picks)
    check(Ask(user_id=picks.user_id, session_id=picks.session_id), 100, "/")
    if not picks.user_id and not picks.session_id:
        raise _wrong("/user_id", "who picked? give user_id or session_id")
    if not 1 <= len(picks.picks) <= MOST:
        raise _wrong("/picks", f"{len(picks.picks)} picks; 1 to {MOST} are taken at once")
    return picks


async def _known(runtime: Runtime, picks: Picks) -> None:
    found = await asyncio.to_thread(runtime.stores.items.find, list(picks.picks))
    for at, (name, item) in enumerate(zip(picks.picks, found, strict=True)):
        if item is None:
            raise _wrong(f"/picks/{at}", f"there is no item {name!r}")


def picked(who: Ask, picks: Sequence[str], now: float, page: str = "") -> list[Event]:
    """The events of picks, each item once; `page` is the recommendation they were made on."""
    return [
        Event(
            event_id=_name(f"{named(who)}\n{item}\n{int(now // DAY)}"),
            kind=Kind.PICK,
            time=now,
            user_id=who.user_id,
            session_id=who.session_id,
            item_id=item,
            surface=SURFACE,
            recommendation_id=page,
        )
        for item in dict.fromkeys(picks)
    ]


def _name(told: str) -> str:
    """The same for the same pick, so that one sent twice is one event."""
    return f"pick-{blake2b(told.encode(), digest_size=16).hexdigest()}"


def _wrong(pointer: str, problem: str) -> BadInput:
    return BadInput(f"{pointer}: {problem}", [Problem(pointer, problem)])


router = Router("/onboarding", route_handlers=[onboard, send_picks], tags=["Recommendations"])

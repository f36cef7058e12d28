"""``/v1/history``: what a visitor did, as the next recommendation knows it."""

from datetime import UTC, datetime
from typing import Any

from litestar import Request, get
from litestar.params import FromQuery
from litestar.router import Router

from palate.errors import BadInput, Problem
from palate.events.kinds import Kind
from palate.serving.bodies import Ask
from palate.serving.routes.asking import check
from palate.serving.runtime import runtime_of
from palate.serving.schema.documents import DeedDocument, HistoryDocument

MOST = 200
"""Events that a visitor's record remembers."""


@get("/", operation_id="history")
async def history(
    request: Request[Any, Any, Any],
    user_id: FromQuery[str] = "",
    session_id: FromQuery[str] = "",
    limit: FromQuery[int] = 50,
) -> HistoryDocument:
    """What a visitor did last, newest first: the part of the log that their next page is made from.

    Name a user by `user_id` or somebody without an account by `session_id`. At most the last 200
    events are remembered; what was only shown is not among them.
    """
    ask = Ask(user_id=user_id, session_id=session_id, limit=limit)
    check(ask, MOST)
    if not user_id and not session_id:
        problem = "name the visitor: user_id or session_id"
        raise BadInput(f"user_id: {problem}", [Problem("user_id", problem)])
    runtime = runtime_of(request)
    state = runtime.visitors.find(ask).state
    rows = state.history[::-1][:limit].tolist()
    names = await runtime.names.of(rows)
    told = zip(rows, state.kinds[::-1], state.values[::-1], state.times[::-1], strict=False)
    return HistoryDocument(
        events=tuple(
            DeedDocument(
                item_id=names[row].item_id,
                title=names[row].title,
                kind=Kind(int(kind)).name.lower(),
                value=float(value) if value == value else None,  # noqa: PLR0124  not a number
                time=datetime.fromtimestamp(float(time), UTC).isoformat(timespec="seconds"),
            )
            for row, kind, value, time in told
            if row in names
        )
    )


router = Router("/history", route_handlers=[history], tags=["Users"])

"""Where requests for slates come in: their time counts from here, before anything else is done.

Reading parameters, keys and rates takes a tenth of an answer. Whoever cannot be answered in time is
turned away before that.
"""

import re
from typing import Any, cast

from litestar import Request
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from palate.serving.pacing.pacer import Turn
from palate.serving.runtime import Runtime

HOME = "home"
WITH_BODY = "POST"
TURN = "turn"
"""Where in a request's state its turn is."""
_budget = re.compile(rb"(?:^|&)budget_ms=(\d{1,9})(?:&|$)")


class Door(ASGIMiddleware):
    """Waits for the request's turn; `pages` have a budget of their own.

    `surface` is that of an address that names none.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, surface: str = HOME, *, pages: bool = False) -> None:
        self._surface, self._pages = surface, pages

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Let it in. Raises Unavailable where it would be late whatever it got."""
        asks = cast("HTTPScope", scope)
        if asks["method"] == WITH_BODY:  # all of it: a slow sender is not to keep others waiting
            await Request[Any, Any, Any](scope, receive, send).body()
        runtime = cast("Runtime", scope["litestar_app"].state["runtime"])
        async with runtime.pacer.turn(*self._asked(asks, runtime)) as turn:
            scope["state"][TURN] = turn
            await next_app(scope, receive, send)

    def _asked(self, scope: HTTPScope, runtime: Runtime) -> tuple[str, float | None]:
        """The surface and its budget, as far as the address tells them."""
        if self._pages:
            return f"page {scope['path_params']['page']}", runtime.settings.serving.page_ms
        told = _budget.search(scope["query_string"])
        return scope["path_params"].get("surface", self._surface), float(told[1]) if told else None


def turn_of(request: Request[Any, Any, Any]) -> Turn:
    """The turn of a request that came through the door."""
    return cast("Turn", request.scope["state"][TURN])

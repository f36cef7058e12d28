"""Who may ask: an API key in ``Authorization: Bearer …`` or ``X-API-Key``; on loopback anybody."""

import hmac
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from palate.errors import Unauthorised


class RequireKey:
    """A guard of every route under /v1, once the site has keys."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._keys = tuple(key.encode() for key in keys)

    async def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
    ) -> None:
        if not self._keys:
            return
        given = key_of(connection).encode()
        # Every key is compared, in constant time: the answer's timing tells nothing.
        if sum(hmac.compare_digest(given, key) for key in self._keys) == 0:
            raise Unauthorised(
                "an API key is needed: send Authorization: Bearer KEY, or X-API-Key: KEY"
            )


def key_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """The key that a request brings; "" where it brings none."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return connection.headers.get("x-api-key", "")

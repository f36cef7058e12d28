"""The storefront's only door: the public API, called as any other client would."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote

import httpx

from palate.console.visitor import Visitor
from palate.errors import BadInput, NotFound, PalateError, Unavailable

Json: TypeAlias = dict[str, Any]

REMEMBERED_SECONDS = 10.0
REMEMBERED_ITEMS = 5_000
REMEMBERED_DEEDS = 200


@dataclass(slots=True)
class Api:
    """Typed calls on `/v1`. Raises NotFound, BadInput or Unavailable with the API's own words."""

    client: httpx.AsyncClient
    held: dict[str, tuple[float, Json]] = field(default_factory=dict)
    """Items by id with the time they were read: a page asks for the same titles again and again."""

    async def slate(
        self,
        surface: str,
        visitor: Visitor,
        *,
        limit: int = 20,
        item_id: str = "",
        without: Sequence[str] = (),
    ) -> Json:
        """One surface's recommendations for a visitor, about `item_id` and never `without`."""
        ask: Json = visitor.query() | {"limit": limit, "exclude": list(without)}
        if item_id:
            ask["item_id"] = item_id
        return await self._call("POST", f"/v1/recommendations/{surface}", json=ask)

    async def history(self, visitor: Visitor) -> list[Json]:
        """What the visitor did, newest first: all that is remembered."""
        query = visitor.query() | {"limit": str(REMEMBERED_DEEDS)}
        return list((await self._call("GET", "/v1/history", params=query))["events"])

    async def item(self, item_id: str, now: float) -> Json:
        """One item's public form, at most ten seconds old."""
        held = self.held.get(item_id)
        if held and now - held[0] < REMEMBERED_SECONDS:
            return held[1]
        found = await self._call("GET", f"/v1/items/{quote(item_id, safe='')}")
        if len(self.held) >= REMEMBERED_ITEMS:
            self.held.clear()
        self.held[item_id] = (now, found)
        return found

    async def items(self, item_ids: Sequence[str], now: float) -> dict[str, Json]:
        """Those of `item_ids` that the catalogue knows."""
        found: dict[str, Json] = {}
        for item_id in dict.fromkeys(item_ids):
            try:
                found[item_id] = await self.item(item_id, now)
            except NotFound:
                continue
        return found

    async def user(self, user_id: str) -> Json:
        """A user's profile."""
        return await self._call("GET", f"/v1/users/{quote(user_id, safe='')}")

    async def users(self, after: str, limit: int) -> list[Json]:
        """Users with an id greater than `after`, in id order."""
        page = await self._call("GET", "/v1/users", params={"after": after, "limit": str(limit)})
        return list(page.get("users", ()))

    async def send(self, event: Mapping[str, object]) -> Json:
        """Report one event; durable when this returns."""
        return await self._call("POST", "/v1/events", json={"events": [dict(event)]})

    async def trace(self, recommendation_id: str) -> Json:
        """What every stage did for one request."""
        return await self._call("GET", f"/v1/traces/{quote(recommendation_id, safe='')}")

    async def why(self, surface: str, visitor: Visitor, item_id: str) -> Json:
        """Where an item is on a visitor's page, or where it was lost."""
        query = visitor.query() | {"item_id": item_id}
        return await self._call("GET", f"/v1/why/{quote(surface, safe='')}", params=query)

    async def ready(self) -> Json:
        """What the server says of its own state, ready or not; {} where it does not answer."""
        try:
            response = await self.client.get("/readyz")
            return dict(response.json())
        except (httpx.HTTPError, ValueError):
            return {}

    async def _call(self, method: str, path: str, **more: Any) -> Json:
        try:
            response = await self.client.request(method, path, **more)
        except httpx.HTTPError as error:
            raise Unavailable(f"the API does not answer: {error}") from error
        if response.is_success:
            return dict(response.json())
        raise _refusal(response)


def _refusal(response: httpx.Response) -> PalateError:
    try:
        detail = str(response.json().get("detail", response.reason_phrase))
    except ValueError:
        detail = response.text[:200] or response.reason_phrase
    kinds: dict[int, type[PalateError]] = {404: NotFound, 422: BadInput, 400: BadInput}
    return kinds.get(response.status_code, Unavailable)(detail)

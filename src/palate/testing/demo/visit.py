"""A visitor over HTTP: one keep-alive connection to a running site, only the public API."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter, sleep
from typing import Any, TypeAlias

import httpx
import msgspec

Json: TypeAlias = dict[str, Any]
PAUSE = 0.005
"""Seconds between two looks while waiting for something to change."""


class Check(msgspec.Struct, frozen=True):
    """One promise: whether it held, and what was seen."""

    name: str
    ok: bool
    saw: str


@dataclass(frozen=True, slots=True)
class Visit:
    """Calls on a site's API. A refused call raises `httpx.HTTPStatusError`."""

    client: httpx.Client

    @classmethod
    def at(cls, url: str) -> "Visit":
        """Visit the site at `url`."""
        return cls(httpx.Client(base_url=url, timeout=10.0, trust_env=False))

    def slate(self, surface: str = "home", **query: Any) -> Json:
        """One answer of a surface; `query` names the visitor, the limit, the cursor."""
        answer = self.client.get(f"/v1/recommendations/{surface}", params=query)
        return dict(answer.raise_for_status().json())

    def send(self, *events: Json) -> Json:
        """Report events; they are durable when this returns."""
        answer = self.client.post("/v1/events", json={"events": list(events)})
        return dict(answer.raise_for_status().json())

    def put(self, item: Json) -> None:
        """Insert or replace an item."""
        self.client.put(f"/v1/items/{item['item_id']}", json=item).raise_for_status()

    def hide(self, item_id: str) -> None:
        """Hide an item from everybody."""
        self.client.patch(f"/v1/items/{item_id}", json={"hidden": True}).raise_for_status()

    def users(self, limit: int) -> list[str]:
        """Ids of real users."""
        answer = self.client.get("/v1/users", params={"limit": limit}).raise_for_status()
        return [str(user["user_id"]) for user in answer.json()["users"]]


def ids(slate: Json) -> list[str]:
    """The items of a slate, in order."""
    return [str(entry["item_id"]) for entry in slate["items"]]


def named(slate: Json) -> set[str]:
    """The items that the reasons of a slate name."""
    return {str(name) for entry in slate["items"] for name in entry["reason"]["item_ids"]}


def until(seen: Callable[[], bool], seconds: float) -> float | None:
    """Look until it is so; the seconds that took, or None where it never was."""
    started = perf_counter()
    while (waited := perf_counter() - started) < seconds:
        if seen():
            return waited
        sleep(PAUSE)
    return None


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of `values` do not exceed (nearest rank).

    >>> percentile([5.0, 1.0, 3.0], 0.5)
    3.0
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def pages(visit: Visit, count: int, **query: Any) -> Iterator[Json]:
    """Up to `count` pages of one visitor's home."""
    cursor: str | None = ""
    for _ in range(count):
        page = visit.slate(**query, **({"cursor": cursor} if cursor else {}))
        yield page
        cursor = page["next"]
        if not cursor:
            return

"""A running Palate as a policy: asked and told over its public API, like any client."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Any, TypeAlias

import httpx
import numpy as np

from palate.errors import BadInput, Unavailable
from palate.evaluation.simulator.policies import Page, Visit
from palate.evaluation.simulator.world import Act, World

Json: TypeAlias = dict[str, Any]
LOOK, PATIENCE = 0.01, 30.0
"""Seconds between two looks whether events count, and until we give up."""
BATCH = 4_000


@dataclass(slots=True)
class Api:
    """The calls that the simulator makes. A refused one raises BadInput with the API's words."""

    client: httpx.Client

    @classmethod
    def at(cls, url: str, key: str = "") -> "Api":
        """The API below `url`."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return cls(httpx.Client(base_url=url, headers=headers, timeout=30.0, trust_env=False))

    def call(self, method: str, path: str, **more: Any) -> Json:
        """One call. Raises Unavailable where nobody answers."""
        answer = self._answer(method, path, **more)
        if not answer.is_success:
            raise BadInput(f"{path} answered {answer.status_code}: {answer.text[:300]}")
        return dict(answer.json())

    def _answer(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return self.client.request(method, path, **more)
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.client.base_url} does not answer: {error}") from error

    def send(self, events: Sequence[Json]) -> None:
        """Report events; durable when it returns."""
        for part in _parts(events):
            self.call("POST", "/v1/events", json={"events": list(part)})

    def put(self, items: Sequence[Json]) -> None:
        """Insert or replace items."""
        for part in _parts(items):
            self.call("POST", "/v1/items", json={"items": list(part)})

    def trace(self, name: str) -> Json:
        """The trace of an answer; it is written after the answer is out, so maybe not at once.

        Raises Unavailable after half a minute.
        """
        until = monotonic() + PATIENCE
        while monotonic() < until:
            answer = self._answer("GET", f"/v1/traces/{name}")
            if answer.is_success:
                return dict(answer.json())
            sleep(LOOK)
        raise Unavailable(
            f"there is no trace of {name}: `serving.trace_rate` has to be 1, and"
            " `serving.traces_per_second` above what is asked"
        )

    def serves(self, release: str) -> None:
        """Wait until pages are made by this release. Raises Unavailable after half a minute."""
        until = monotonic() + PATIENCE
        while self.call("GET", "/readyz")["release"] != release:
            if monotonic() > until:
                raise Unavailable(f"release {release} is live, and the site does not serve it")
            sleep(LOOK)

    def counts_for(self, event: Json) -> None:
        """Wait until an event is part of what its visitor's next page is made from.

        People take seconds between two pages, which the simulator does not: this stands for them.
        Raises Unavailable after half a minute.
        """
        until, ask = monotonic() + PATIENCE, {"user_id": event["user_id"], "limit": "20"}
        while monotonic() < until:
            known = self.call("GET", "/v1/history", params=ask)["events"]
            if any((e["item_id"], e["kind"]) == (event["item_id"], event["kind"]) for e in known):
                return
            sleep(LOOK)
        raise Unavailable("events do not reach the pages: is `palate stream` running?")


@dataclass(slots=True)
class Served:
    """Home of a site."""

    name: str
    api: Api
    world: World
    night: Callable[[], None] | None = None
    """What happens between two days; None where nothing does."""
    places: dict[str, int] = field(default_factory=dict)
    there: int = 0
    opened: bool = False

    def __post_init__(self) -> None:
        self.places = {item: row for row, item in enumerate(self.world.items)}
        self.there = self.world.there

    def open_day(self, there: int) -> None:
        if self.opened and self.night is not None:
            self.night()
        self.opened = True
        self.api.put(self.world.documents(range(self.there, there)))
        self.there = there

    def page(self, visit: Visit, size: int) -> Page:
        ask = {"user_id": self.world.users[visit.user], "limit": str(size)}
        if visit.cursor:
            ask["cursor"] = visit.cursor
        told = self.api.call("GET", "/v1/recommendations/home", params=ask)
        visit.cursor = told["next"] or ""
        entries = [each for each in told["items"] if each["item_id"] in self.places]
        rows = np.array([self.places[each["item_id"]] for each in entries], np.int32)
        return Page(rows, [each["explore"] for each in entries], told["recommendation_id"])

    def tell(self, acts: Sequence[Act]) -> None:
        events = [self.event(act) for act in acts]
        self.api.send(events)
        if events:
            self.api.counts_for(events[-1])

    def event(self, act: Act) -> Json:
        """An act as the API takes it."""
        told: Json = {
            "kind": act.kind,
            "user_id": self.world.users[act.user],
            "item_id": self.world.items[act.item],
        }
        if act.value is not None:
            told["value"] = act.value
        if act.time is not None:
            told["time"] = datetime.fromtimestamp(act.time, UTC).isoformat()
        if act.page:
            told |= {"recommendation_id": act.page, "position": act.position, "surface": "home"}
        return told

    def fill(self, past: Sequence[Act]) -> None:
        """Bring items and the past to a site that has none."""
        self.api.put(self.world.documents(range(self.world.there)))
        events = [self.event(act) for act in past]
        self.api.send(events)
        self.api.counts_for(events[-1])


def _parts(several: Sequence[Json]) -> Iterator[Sequence[Json]]:
    for start in range(0, len(several), BATCH):
        yield several[start : start + BATCH]

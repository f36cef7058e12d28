"""The crowd as a load generator: pages asked for at a fixed rate, whatever the answers take."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import httpx
import msgspec
import numpy as np

from palate.evaluation.simulator.people import Chances, Person, UserModel, read
from palate.evaluation.simulator.served import Served


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What a server did under load. Times in milliseconds, from when each page was due."""

    asked: int
    answered: int
    refused: dict[str, int]
    """By status, or by what went wrong."""
    rate: float
    """Pages answered in a second."""
    events: int
    """Acknowledged."""
    p50_ms: float
    p99_ms: float


@dataclass(slots=True)
class Loading:
    """People come at a rate, each asks for one page and acts on it."""

    served: Served
    model: UserModel
    seed: int
    took: list[float] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    events: int = 0

    async def run(self, rate: float, seconds: float, tell: Callable[[int, int], None]) -> Load:
        """Keep to the rate for so many seconds; a slow server changes nothing of it."""
        dice = np.random.Generator(np.random.PCG64([self.seed, 6]))
        due = np.cumsum(dice.exponential(1.0 / rate, max(1, int(rate * seconds))))
        who = dice.integers(0, len(self.served.world.users), len(due))
        base, headers = self.served.api.client.base_url, self.served.api.client.headers
        started, running = perf_counter(), []
        async with httpx.AsyncClient(base_url=base, headers=headers, trust_env=False) as client:
            for number, (at, user) in enumerate(zip(due.tolist(), who.tolist(), strict=True)):
                await asyncio.sleep(max(0.0, started + at - perf_counter()))
                running.append(asyncio.create_task(self._come(client, user, started + at)))
                tell(number + 1, len(due))
            await asyncio.gather(*running)
        spent = perf_counter() - started
        return Load(
            asked=len(due),
            answered=len(self.took),
            refused=self.refused,
            rate=len(self.took) / spent,
            events=self.events,
            p50_ms=float(np.percentile(self.took, 50)) if self.took else 0.0,
            p99_ms=float(np.percentile(self.took, 99)) if self.took else 0.0,
        )

    async def _come(self, client: httpx.AsyncClient, user: int, due: float) -> None:
        ask = {"user_id": self.served.world.users[user], "limit": "10"}
        page = await self._call(client, "GET", "/v1/recommendations/home", params=ask)
        if page is None:
            return
        self.took.append((perf_counter() - due) * 1e3)
        events = self._acts(user, page)
        if events and await self._call(client, "POST", "/v1/events", json={"events": events}):
            self.events += len(events)

    def _acts(self, user: int, page: dict[str, Any]) -> list[dict[str, Any]]:
        places, world = self.served.places, self.served.world
        names = [entry["item_id"] for entry in page["items"] if entry["item_id"] in places]
        rows = np.array([places[name] for name in names], np.int32)
        dice = np.random.Generator(np.random.PCG64([self.seed, 7, user, len(self.took)]))
        chances = Chances(dice.random(len(rows)), dice.random(len(rows)), dice)
        taste = world.tastes[user]
        done = read(Person(user, taste, taste), self.model, world, rows, chances)
        name = page["recommendation_id"]
        return [self.served.event(act._replace(page=name, position=at + 1)) for at, act in done]

    async def _call(
        self, client: httpx.AsyncClient, method: str, path: str, **more: Any
    ) -> dict[str, Any] | None:
        try:
            answer = await client.request(method, path, **more)
        except httpx.HTTPError as error:
            self._refuse(type(error).__name__)
            return None
        if not answer.is_success:
            self._refuse(str(answer.status_code))
            return None
        return dict(answer.json())

    def _refuse(self, why: str) -> None:
        self.refused[why] = self.refused.get(why, 0) + 1

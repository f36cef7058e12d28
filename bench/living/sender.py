"""Clients that repeat what was not acknowledged, and remember what was."""

from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

from living.beside import Beside

KINDS = ("click", "view", "like", "dislike", "save", "rating", "search")
ACCEPTED = 202
BATCH = 20
REPEATED = 0.1
"""Share of acknowledged batches that are sent again: a client that lost the answer."""


@dataclass(slots=True)
class Sender(Beside):
    """One client: batches of events, one after the other, each until it is acknowledged."""

    url: str
    name: str
    items: int
    acknowledged: list[str] = field(default_factory=list)
    """Ids of events."""
    answers: int = 0
    """Slates."""
    wrong: list[str] = field(default_factory=list)
    """Answers that no client should get."""

    def _run(self) -> None:
        dice = np.random.default_rng(abs(hash(self.name)) % 2**32)
        with httpx.Client(base_url=self.url, timeout=10.0, trust_env=False) as client:
            number = 0
            while not self._stop.is_set():
                batch = self._batch(number, dice)
                number += BATCH
                while not self._sent(client, batch) and not self._stop.wait(0.05):
                    continue
                if dice.random() < REPEATED:
                    self._sent(client, batch, again=True)
                self._look(client, batch[0])

    def _batch(self, number: int, dice: np.random.Generator) -> list[dict[str, Any]]:
        batch = []
        for n in range(number, number + BATCH):
            kind = KINDS[dice.integers(len(KINDS))]
            event: dict[str, Any] = {"event_id": f"{self.name}-{n}", "kind": kind}
            if kind != "search":
                event["item_id"] = f"i{dice.integers(self.items)}"
            who = int(dice.integers(40))
            names: dict[str, Any] = {"user_id": f"u{who}", "session_id": f"s{who}"}
            if n % 5:
                names.pop(("user_id", "session_id")[n % 2])
            batch.append(event | names | {"value": float(dice.integers(1, 6))})
        return batch

    def _sent(
        self, client: httpx.Client, batch: list[dict[str, Any]], *, again: bool = False
    ) -> bool:
        try:
            answer = client.post("/v1/events", json={"events": batch})
        except httpx.TransportError:
            return False
        if answer.status_code != ACCEPTED:
            if answer.is_client_error:
                self.wrong.append(answer.text)
            return False
        if again and answer.json()["accepted"]:
            self.wrong.append(f"counted again: {answer.text}")
        if not again:
            self.acknowledged += [event["event_id"] for event in batch]
        return True

    def _look(self, client: httpx.Client, event: dict[str, Any]) -> None:
        who = {k: str(event[k]) for k in ("user_id", "session_id") if k in event} | {"limit": "10"}
        try:
            answer = client.get("/v1/recommendations/home", params=who)
        except httpx.TransportError:
            return
        self.answers += answer.is_success

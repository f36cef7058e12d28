"""A client that brings users and items, lets them act and be shown, and deletes them again."""

from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import httpx

from living.beside import Beside

GONE = (204, 404)
"""Deleted now, or by a try before whose answer was lost."""
STALE = 2.0
"""Seconds after which an item that was deleted must not be shown any more."""
OK = 200


@dataclass(slots=True)
class Deleter(Beside):
    """One after the other: a user with a session and an item of their own come, act, and go."""

    url: str
    items: int
    users: list[str] = field(default_factory=list)
    """Whose deletion was acknowledged."""
    doomed: list[str] = field(default_factory=list)
    """Items whose deletion was acknowledged."""
    acknowledged: list[str] = field(default_factory=list)
    """Ids of events."""
    shown: list[str] = field(default_factory=list)
    """Items that were shown though they had been deleted for a while."""
    wrong: list[str] = field(default_factory=list)
    """Answers that no client should get."""
    _when: dict[str, float] = field(default_factory=dict)

    def _run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=10.0, trust_env=False) as client:
            number = 0
            while not self._stop.is_set():
                self._live(client, number)
                number += 1

    def _live(self, client: httpx.Client, number: int) -> None:
        user, session, item = f"gone-{number}", f"left-{number}", f"doomed-{number}"
        self._done(client, "PUT", f"/v1/users/{user}", {"country": "DE"})
        self._done(client, "PUT", f"/v1/items/{item}", {"title": item, "categories": ["c1"]})
        names = {"user_id": user, "session_id": session}
        told = [
            {"event_id": f"{user}-{n}", "kind": "click", "item_id": each} | names
            for n, each in enumerate((item, f"i{number % self.items}", f"i{n_of(number)}"))
        ]
        if self._done(client, "POST", "/v1/events", {"events": told}):
            self.acknowledged += [each["event_id"] for each in told]
        for who in ({"user_id": user}, {"session_id": session}):
            self._look(client, who)
        if self._done(client, "DELETE", f"/v1/items/{item}"):
            self.doomed.append(item)
            self._when[item] = perf_counter()
        if self._done(client, "DELETE", f"/v1/users/{user}"):
            self.users.append(user)
        self._look(client, {"user_id": "u1"})

    def _done(
        self, client: httpx.Client, verb: str, path: str, body: dict[str, Any] | None = None
    ) -> bool:
        """Try until it is answered; False where the end came before."""
        while not self._stop.is_set():
            try:
                answer = client.request(verb, path, json=body)
            except httpx.TransportError:
                self._stop.wait(0.05)
                continue
            if answer.is_success or (verb == "DELETE" and answer.status_code in GONE):
                return True
            if answer.is_client_error:
                self.wrong.append(f"{verb} {path}: {answer.text}")
                return False
            self._stop.wait(0.05)
        return False

    def _look(self, client: httpx.Client, who: dict[str, str]) -> None:
        began = perf_counter()
        try:
            answer = client.get("/v1/recommendations/home", params={**who, "limit": "20"})
        except httpx.TransportError:
            return
        if answer.status_code == OK:
            seen = {each["item_id"] for each in answer.json()["items"]}
            late = [item for item, when in self._when.items() if began - when > STALE]
            self.shown += seen.intersection(late)


def n_of(number: int) -> int:
    """An item of the catalogue that many share."""
    return number % 7

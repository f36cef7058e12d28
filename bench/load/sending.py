"""Events while things break: which were acknowledged, and whether the log has them afterwards."""

import asyncio
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from load.client import Wire

ACCEPTED, UNAVAILABLE = 202, 503
BATCH = 5
PATIENCE = 40.0
"""Seconds: a writer waits 30 for a locked file before it says so."""
KINDS = ("click", "view", "like", "skip")


@dataclass(slots=True)
class Sent:
    """What came of the events of one fault."""

    name: str
    acknowledged: set[str] = field(default_factory=set)
    refused: int = 0
    """Told 503 with a problem document: the client keeps them."""
    unanswered: int = 0
    """The connection broke: the client keeps them."""
    wrong: Counter[str] = field(default_factory=Counter)
    """Answers that no client should get."""
    slowest: float = 0.0
    """Seconds to an acknowledgement."""

    def facts(self, home: Path) -> dict[str, Any]:
        """For JSON and tables, with what the log says."""
        return {
            "acknowledged": len(self.acknowledged),
            "lost": len(self.acknowledged - logged(home, self.name)),
            "refused": self.refused,
            "unanswered": self.unanswered,
            "wrong": dict(self.wrong),
            "slowest_ms": round(1e3 * self.slowest, 1),
        }


def logged(home: Path, name: str) -> set[str]:
    """Ids of all events of this sender that are in the log."""
    db = sqlite3.connect(home / "events.db")
    try:
        found = db.execute("select event_id from event where event_id glob ?", (f"{name}-*",))
        return {each for (each,) in found}
    finally:
        db.close()


async def sending(port: int, items: int, rate: float, stop: asyncio.Event, sent: Sent) -> None:
    """So many events a second in small batches, until `stop`; all answers are waited for."""
    numbers, under_way, due = count(), [], perf_counter()
    while not stop.is_set():
        due += BATCH / rate
        await asyncio.sleep(max(due - perf_counter(), 0.0))
        batch = [_event(sent.name, next(numbers), items) for _ in range(BATCH)]
        under_way.append(asyncio.create_task(_send(port, batch, sent)))
    await asyncio.gather(*under_way)


def _event(name: str, number: int, items: int) -> dict[str, Any]:
    return {
        "event_id": f"{name}-{number}",
        "kind": KINDS[number % len(KINDS)],
        "user_id": f"u{number % 97}",
        "item_id": f"i{number * 31 % items}",
    }


async def _send(port: int, batch: list[dict[str, Any]], sent: Sent) -> None:
    wire, started = Wire("127.0.0.1", port), perf_counter()
    body = msgspec.json.encode({"events": batch})
    try:
        status, raw = await asyncio.wait_for(wire.send("POST", "/v1/events", body), PATIENCE)
    except (OSError, EOFError, ValueError, TimeoutError):
        sent.unanswered += len(batch)
        return
    finally:
        wire.close()
    if status == ACCEPTED:
        sent.acknowledged |= {each["event_id"] for each in batch}
        sent.slowest = max(sent.slowest, perf_counter() - started)
    elif status == UNAVAILABLE and "detail" in msgspec.json.decode(raw):
        sent.refused += len(batch)
    else:
        sent.wrong[f"status {status}"] += len(batch)

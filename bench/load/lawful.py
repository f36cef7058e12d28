"""Asks while things break, and judges each answer: whether it came, and is lawful."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import msgspec

from load.client import Wire

OK, SHED = 200, 503
PATIENCE = 2.0
"""Seconds until a visitor's client asks once more, on another connection."""
PAUSE = 0.05
"""Seconds before that, as clients back off: the kernel closes a dead process's sockets one by one,
and a connection made in between is reset as well."""
EVERY_HIDDEN = 7
"""One in so many items may not be shown to anybody."""


def is_hidden(item_id: str) -> bool:
    """Whether this item may not be shown."""
    return int(item_id[1:]) % EVERY_HIDDEN == 0


@dataclass(slots=True)
class Judged:
    """What came of the questions of one fault."""

    asked: int = 0
    good: int = 0
    again: int = 0
    """Good answers that took a second try: the first connection broke or hung."""
    wrong: Counter[str] = field(default_factory=Counter)
    """What was not good, in words."""
    steps: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    """Seconds, of the answers that were good."""

    def facts(self) -> dict[str, Any]:
        """For JSON and tables."""
        return {
            "asked": self.asked,
            "good": self.good,
            "share": round(self.good / max(self.asked, 1), 6),
            "again": self.again,
            "slowest_ms": round(1e3 * self.slowest, 1),
            "steps": dict(self.steps),
            "wrong": dict(self.wrong),
        }


def fault_of(status: int, raw: bytes, limit: int) -> tuple[str, str]:
    """What is wrong with an answer ("" for nothing), and the rung that gave it."""
    if status != OK:
        return f"status {status}", ""
    body = msgspec.json.decode(raw)
    ids = [each["item_id"] for each in body["items"]]
    if not ids:
        return "an empty page", body["step"]
    if len(ids) > limit or len(set(ids)) != len(ids):
        return "too long, or an item twice", body["step"]
    if any(map(is_hidden, ids)):
        return "an item that may not be shown", body["step"]
    return "", body["step"]


async def ask(port: int, path: str, limit: int, judged: Judged) -> None:
    """One visitor's question, with one more try where no answer came."""
    judged.asked += 1
    started = perf_counter()
    for attempt in range(2):
        await asyncio.sleep(attempt * PAUSE)
        wire = Wire("127.0.0.1", port)
        try:
            status, raw = await asyncio.wait_for(wire.get(path), PATIENCE)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            if attempt:
                judged.wrong[f"no answer: {type(error).__name__}"] += 1
            continue
        finally:
            wire.close()
        wrong, step = fault_of(status, raw, limit)
        if wrong:
            judged.wrong[wrong] += 1
        else:
            judged.good += 1
            judged.again += attempt
            judged.steps[step] += 1
            judged.slowest = max(judged.slowest, perf_counter() - started)
        return


async def crowd(
    port: int, paths: list[str], rate: float, stop: asyncio.Event, judged: Judged
) -> None:
    """So many questions a second, until `stop`; all of them are waited for."""
    asking, at, due = [], 0, perf_counter()
    while not stop.is_set():
        due += 1.0 / rate
        await asyncio.sleep(max(due - perf_counter(), 0.0))
        path = paths[at % len(paths)]
        limit = int(path.rpartition("limit=")[2])
        asking.append(asyncio.create_task(ask(port, path, limit, judged)))
        at += 1
    await asyncio.gather(*asking)

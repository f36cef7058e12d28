"""Visitors by the hundred: slates and events at fixed rates, from a process of their own."""

import asyncio
import multiprocessing
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event as Stop
from time import perf_counter
from typing import Any

import msgspec
import numpy as np
from load.client import Wire, wires
from load.report import percentiles

BATCH = 10
"""Events of one POST: what a page of a busy site sends together."""
KINDS = ("click", "view", "like", "skip")
ACCEPTED = 202


@dataclass(slots=True)
class Busy:
    """What the crowd did."""

    seconds: float = 0.0
    events: int = 0
    """Acknowledged."""
    slates: int = 0
    failures: int = 0
    waits: list[float] = field(default_factory=list)
    """Seconds from when a slate was due until it was there."""

    def facts(self) -> dict[str, Any]:
        """In numbers."""
        return {
            "events_per_second": round(self.events / max(self.seconds, 1e-9), 1),
            "slates_per_second": round(self.slates / max(self.seconds, 1e-9), 1),
            "slate_milliseconds": percentiles([1e3 * each for each in self.waits]),
            "failures": self.failures,
        }


@contextmanager
def crowd(port: int, items: int, events: float, slates: float) -> Iterator[Busy]:
    """Keep a site busy with so many events and slates a second; tells what it did at the end."""
    context = multiprocessing.get_context("spawn")
    stop, told = context.Event(), context.Queue()
    process = context.Process(target=_live, args=(port, items, events, slates, stop, told))
    process.start()
    busy = Busy()
    try:
        told.get(timeout=60)  # the first answers are there
        yield busy
    finally:
        stop.set()
        try:
            done: Busy = told.get(timeout=60)
            for name in Busy.__dataclass_fields__:
                setattr(busy, name, getattr(done, name))
        except queue.Empty:
            busy.failures += 1
        process.join(10)
        if process.is_alive():
            process.kill()


def _live(
    port: int, items: int, events: float, slates: float, stop: Stop, told: "Queue[Any]"
) -> None:
    asyncio.run(_lives(port, items, events, slates, stop, told))


async def _lives(
    port: int, items: int, events: float, slates: float, stop: Stop, told: "Queue[Any]"
) -> None:
    busy, dice = Busy(), np.random.default_rng(7)
    async with wires("127.0.0.1", port, 32) as held:
        free: asyncio.Queue[Wire] = asyncio.Queue()
        for wire in held:
            free.put_nowait(wire)
        began = perf_counter()
        streams = [
            asyncio.create_task(_slates(free, slates, busy, dice)),
            asyncio.create_task(_events(free, events / BATCH, items, busy, dice)),
        ]
        await asyncio.sleep(1.0)
        told.put("busy")
        await asyncio.to_thread(stop.wait)
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        busy.seconds = perf_counter() - began
    told.put(busy)


async def _slates(
    free: "asyncio.Queue[Wire]", rate: float, busy: Busy, dice: np.random.Generator
) -> None:
    async for due in _due(rate, dice):
        path = f"/v1/recommendations/home?user_id=u{dice.integers(20_000)}&limit=20"
        _begin(_slate(free, path, due, busy))


async def _slate(free: "asyncio.Queue[Wire]", path: str, due: float, busy: Busy) -> None:
    wire = await free.get()
    try:
        await wire.get(path)
        busy.slates += 1
        busy.waits.append(perf_counter() - due)
    except (OSError, EOFError, ValueError):
        busy.failures += 1
    finally:
        free.put_nowait(wire)


async def _events(
    free: "asyncio.Queue[Wire]", rate: float, items: int, busy: Busy, dice: np.random.Generator
) -> None:
    numbers = count()
    async for _ in _due(rate, dice):
        batch = [
            {
                "event_id": f"crowd-{next(numbers)}",
                "kind": KINDS[dice.integers(len(KINDS))],
                "user_id": f"u{dice.integers(20_000)}",
                "item_id": f"i{min(int(dice.pareto(1.1) * items / 50), items - 1)}",
            }
            for _ in range(BATCH)
        ]
        _begin(_batch(free, msgspec.json.encode({"events": batch}), busy))


async def _batch(free: "asyncio.Queue[Wire]", body: bytes, busy: Busy) -> None:
    wire = await free.get()
    try:
        status, _ = await wire.send("POST", "/v1/events", body)
        busy.events += BATCH * (status == ACCEPTED)
        busy.failures += status != ACCEPTED
    except (OSError, EOFError, ValueError):
        busy.failures += 1
    finally:
        free.put_nowait(wire)


async def _due(rate: float, dice: np.random.Generator) -> Any:
    """When the next one is due, as it comes: a Poisson stream that waits for nobody."""
    when = perf_counter()
    while True:
        when += float(dice.exponential(1.0 / rate))
        pause = when - perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        yield when


_running: set[asyncio.Task[None]] = set()


def _begin(work: Any) -> None:
    task = asyncio.create_task(work)
    _running.add(task)
    task.add_done_callback(_running.discard)

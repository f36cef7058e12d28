"""How fast the loop closes: from an event to the slate it changed, over HTTP, on a running site.

    python bench/loop.py [--items 10000] [--events 1000000] [--tries 200] [--json]

`palate up` runs as it does anywhere: one worker, the stream worker, the join, a trainer that waits.
Quiet, then with a crowd that sends 500 events a second and asks for slates at half of what the
worker can answer, all on the same cores: from an event to the changed slate; from the PUT of an
item until it is recommended; events acknowledged a second in batches of 100; how long a restart
takes, also after `kill -9`. The release has random weights: the work is real, the taste is not.
"""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter, time
from typing import Any

import msgspec
import numpy as np
from living.crowd import crowd
from living.release import add_release
from living.site import CATEGORIES, build
from living.up import Up, up
from load.client import Wire, closed_loop, wires
from load.ran import ran
from load.report import percentiles

from palate.cli.output import console
from palate.settings import Settings
from palate.stores import close, open_stores

TARGETS = {
    "quiet_p99": 200.0,
    "loaded_p99": 1_000.0,
    "new_item_most": 2_000.0,
    "acknowledged": 20_000.0,
    "restart": 5.0,
}
"""Milliseconds; events a second; seconds."""
PATIENCE = 10.0
BATCH, SENDERS = 100, 8
USERS = 20_000
EVENTS = 500.0
NEW_ITEMS = 20


def main(arguments: Sequence[str]) -> int:
    """Run it all, print what was measured; exit code 1 where a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=1_000_000, help="that the site has seen")
    parser.add_argument("--tries", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5.0, help="of ingest")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.5, help="of what the worker can answer")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args(arguments)
    facts = {
        **ran("loop", arguments),
    }
    with tempfile.TemporaryDirectory(prefix="palate-loop-") as folder:
        measured = run(Path(folder), wanted)
    reached = met(measured)
    told = {**facts, "targets": TARGETS, **measured, "met": reached}
    print(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
    return 0 if all(reached.values()) else 1


def run(home: Path, wanted: argparse.Namespace) -> dict[str, Any]:
    """Build, start, measure, restart."""
    console.print(f"{wanted.items:,} items, {wanted.events:,} events: building a site …")
    build(home, wanted.items, wanted.events, time())
    add_release(home, wanted.items)
    told: dict[str, Any] = {}
    with up(home, wanted.workers) as first:
        told["start_seconds"] = round(first.wait(), 2)
        told |= asyncio.run(living(first, wanted))
        first.kill()
    told["after_kill"] = {"events_behind": behind(home)}
    with up(home, wanted.workers) as again:
        told["after_kill"]["seconds"] = round(again.wait(), 2)
    with up(home, wanted.workers) as last:
        told["restart_seconds"] = round(last.wait(), 2)
    return told


def behind(home: Path) -> int:
    """How far the state of a site that is down is behind its log."""
    stores = open_stores(Settings(home=home))
    try:
        return stores.log.end() - stores.online.position()
    finally:
        close(stores)


async def living(site: Up, wanted: argparse.Namespace) -> dict[str, Any]:
    """What is measured while it runs."""
    told: dict[str, Any] = {}
    async with wires("127.0.0.1", site.port, 16) as held:
        paths = [f"/v1/recommendations/home?user_id=u{n}&limit=20" for n in range(0, USERS, 7)]
        await closed_loop(held[:4], paths, 3.0)
        most = await closed_loop(held[:4], paths[500:], 5.0)
        told["slates_at_most"] = round(most, 1)
        look = Look(held[0], wanted.items)
        console.print("quiet …")
        told["quiet"] = await look.reactions(wanted.tries)
        told["new_item_quiet"] = await look.new_items(NEW_ITEMS)
        console.print("busy …")
        with crowd(site.port, wanted.items, EVENTS, most * wanted.share) as busy:
            told["loaded"] = await look.reactions(wanted.tries)
            told["new_item_loaded"] = await look.new_items(NEW_ITEMS)
        told["crowd"] = busy.facts()
        console.print("ingest …")
        told["ingest"] = await ingest(held[:SENDERS], wanted.items, wanted.seconds)
    return told


class Look:
    """One visitor after another, on one connection."""

    def __init__(self, wire: Wire, items: int) -> None:
        self._wire, self._items, self._number = wire, items, count()
        self._parts: dict[str, list[float]] = {"acknowledged": [], "one_slate": []}
        self._steps: Counter[str] = Counter()

    async def reactions(self, tries: int) -> dict[str, Any]:
        """Milliseconds from sending an event to the end of the first slate that it changed."""
        took, lost = [], 0
        self._parts, self._steps = {name: [] for name in self._parts}, Counter()
        for n in range(tries):
            waited = await (self._newcomer() if n % 2 else self._regular())
            lost += waited is None
            took.append(1e3 * (PATIENCE if waited is None else waited))
        parts = {name: percentiles(times) for name, times in self._parts.items()}
        told = {"tries": tries, "lost": lost, "milliseconds": percentiles(took)}
        return told | {"parts": parts, "steps": dict(self._steps)}

    async def new_items(self, tries: int) -> dict[str, Any]:
        """Milliseconds from the PUT of an item until it stands beside its like."""
        took, lost = [], 0
        for n in range(tries):
            name, like = f"new-{next(self._number)}", int(n * self._items / tries)
            document = {"title": f"The story of i{like}", "categories": [f"c{like % CATEGORIES}"]}
            started = perf_counter()
            body = msgspec.json.encode(document)
            status, answer = await self._wire.send("PUT", f"/v1/items/{name}", body)
            if status >= 300:  # noqa: PLR2004
                raise RuntimeError(answer.decode())
            path = f"/v1/recommendations/more_like_this?item_id=i{like}&limit=100&session_id={name}"
            waited = await _until(started, partial(self._shows, path, name))
            lost += waited is None
            took.append(1e3 * (PATIENCE if waited is None else waited))
        return {
            "tries": tries,
            "lost": lost,
            "milliseconds": percentiles(took) | {"most": round(max(took), 1)},
        }

    async def _newcomer(self) -> float | None:
        """Somebody new clicks; the page names the item as its reason."""
        who = f"session_id=new-{next(self._number)}"
        page = await self._page(who)
        entry = page["items"][next(self._number) % 10]
        event = {"kind": "click", "session_id": who.partition("=")[2], "item_id": entry["item_id"]}
        event["recommendation_id"] = page["recommendation_id"]

        async def named() -> bool:
            items = (await self._page(who))["items"]
            return any(entry["item_id"] in each["reason"]["item_ids"] for each in items)

        return await self._send(event, named)

    async def _regular(self) -> float | None:
        """Somebody known has watched the first item of the page; it goes."""
        who = f"user_id=u{next(self._number) * 13 % USERS}"
        page = await self._page(who)
        entry = next(each for each in page["items"] if not each["explore"])
        event = {"kind": "view", "user_id": who.partition("=")[2], "item_id": entry["item_id"]}

        async def gone() -> bool:
            items = (await self._page(who))["items"]
            return entry["item_id"] not in [each["item_id"] for each in items]

        return await self._send(event | {"value": 1.0}, gone)

    async def _send(
        self, event: dict[str, Any], seen: Callable[[], Awaitable[bool]]
    ) -> float | None:
        started = perf_counter()
        await self._wire.send("POST", "/v1/events", msgspec.json.encode({"events": [event]}))
        self._parts["acknowledged"].append(1e3 * (perf_counter() - started))
        return await _until(started, seen)

    async def _page(self, who: str) -> dict[str, Any]:
        started = perf_counter()
        _, raw = await self._wire.get(f"/v1/recommendations/home?{who}&limit=20")
        self._parts["one_slate"].append(1e3 * (perf_counter() - started))
        page: dict[str, Any] = msgspec.json.decode(raw)
        self._steps[page["step"]] += 1
        return page

    async def _shows(self, path: str, name: str) -> bool:
        _, raw = await self._wire.get(path)
        return any(each["item_id"] == name for each in msgspec.json.decode(raw)["items"])


async def _until(started: float, seen: Callable[[], Awaitable[bool]]) -> float | None:
    while perf_counter() - started < PATIENCE:
        if await seen():
            return perf_counter() - started
    return None


async def ingest(held: Sequence[Wire], items: int, seconds: float) -> dict[str, Any]:
    """Events acknowledged (durable) a second, in batches of 100; every sender waits for its own."""
    bodies = [batch(n, items) for n in range(int(60_000 * seconds / BATCH))]
    waiting, acknowledged, waits = iter(bodies), 0, []
    for wire in held:
        wire.close()  # the server has let go of what was idle
    until = perf_counter() + seconds

    async def send(wire: Wire) -> None:
        nonlocal acknowledged
        for body in waiting:
            began = perf_counter()
            if began > until:
                return
            status, answer = await wire.send("POST", "/v1/events", body)
            if status != 202:  # noqa: PLR2004
                raise RuntimeError(answer.decode())
            waits.append(1e3 * (perf_counter() - began))
            acknowledged += BATCH

    started = perf_counter()
    await asyncio.gather(*(send(wire) for wire in held))
    spent = perf_counter() - started
    return {
        "batch": BATCH,
        "senders": len(held),
        "events_per_second": round(acknowledged / spent),
        "milliseconds": percentiles(waits),
    }


def batch(number: int, items: int) -> bytes:
    """100 events with ids of their own."""
    dice = np.random.default_rng(number)
    who, what = dice.integers(0, USERS, BATCH).tolist(), dice.integers(0, items, BATCH).tolist()
    events = [
        {"event_id": f"in-{number}-{n}", "kind": "click", "user_id": f"u{u}", "item_id": f"i{i}"}
        for n, (u, i) in enumerate(zip(who, what, strict=True))
    ]
    return msgspec.json.encode({"events": events})


def met(told: dict[str, Any]) -> dict[str, bool]:
    """Which of the targets were reached."""
    new = [told[name]["milliseconds"]["most"] for name in ("new_item_quiet", "new_item_loaded")]
    return {
        "quiet_p99": told["quiet"]["milliseconds"]["p99"] <= TARGETS["quiet_p99"],
        "loaded_p99": told["loaded"]["milliseconds"]["p99"] <= TARGETS["loaded_p99"],
        "new_item_most": max(new) <= TARGETS["new_item_most"],
        "acknowledged": told["ingest"]["events_per_second"] >= TARGETS["acknowledged"],
        "restart": told["restart_seconds"] <= TARGETS["restart"],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What docs/capacity.md assumes, as far as one machine can tell.

    python bench/shards.py [--items 2000] [--events 50000] [--seconds 5] [--json] [--write]

A second node that follows the same catalogue and log has the same item columns, counters and
co-visitation, byte for byte. Two nodes that hold half of the users each answer their users as one
node that holds all of them does. Two workers on two cores spend no more CPU on a request than one
worker on one core: what they share (mapped files, the log) costs them nothing.
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import time
from typing import Any

import msgspec
import numpy as np
from living.site import USERS, build
from load.client import closed_loop, wires
from load.ran import ran, source
from load.report import lay
from load.server import cpu_seconds, serving

import palate
from palate.catalog.columns import COLUMNS
from palate.catalog.user import user_key
from palate.clock import FixedClock
from palate.features.online.protocol import StateChange
from palate.settings import FILE
from palate.settings_files import load
from palate.stores import Stores, close, open_stores, stream_worker
from palate.streaming.rebuild import TABLES

PAGE = Path(__file__).parents[1] / "docs" / "capacity.md"
BEGIN, END = "<!-- bench/shards.py: begin -->", "<!-- bench/shards.py: end -->"
SHARDS, ASKED, LIMIT = 2, 200, 20
CONNECTIONS = 8


def main(arguments: Sequence[str]) -> None:
    """Check, print; exit code 1 where something the sums assume is not so."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--items", type=int, default=2_000)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=5.0, help="of load, for each number")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="into docs/capacity.md")
    wanted = parser.parse_args(arguments)
    told: dict[str, Any] = {
        **ran("shards", arguments),
        **run(wanted.items, wanted.events, wanted.seconds),
    }
    print(msgspec.json.encode(told).decode() if wanted.json else table(told))
    if wanted.write:
        lay(PAGE, BEGIN, END, table(told))
    sys.exit(bool(told["different"] or told["answers_different"]))


def run(items: int, events: int, seconds: float) -> dict[str, Any]:
    """Build a site, and hold the others against it."""
    now = time()
    with tempfile.TemporaryDirectory(prefix="palate-shards-") as folder:
        home = Path(folder) / "one"
        build(home, items, events, now)
        different = replicated(home, Path(folder) / "replica", now)
        wrong = sharded(home, Path(folder), now)
        spent = {workers: spends(home, workers, seconds) for workers in (1, 2)} if seconds else {}
    return {
        "items": items,
        "events": events,
        "different": different,
        "answers": ASKED,
        "answers_different": wrong,
        "workers": {str(workers): each for workers, each in spent.items()},
    }


def replicated(home: Path, other: Path, now: float) -> list[str]:
    """Names of what a node that folds the same log by itself has otherwise."""
    other.mkdir()
    for file in (FILE, *(each.name for each in home.glob("*.db*"))):
        shutil.copy(home / file, other / file)
    mine, theirs = (open_stores(load(each, {}), writer=True) for each in (home, other))
    try:
        worker = stream_worker(theirs, FixedClock(now))
        worker.recover()
        worker.drain()
        return [name for name, raw in held(mine).items() if held(theirs)[name] != raw]
    finally:
        close(mine)
        close(theirs)


def held(stores: Stores) -> dict[str, object]:
    """All that is replicated, by name."""
    size = stores.columns.size
    told: dict[str, object] = {
        f"columns.{name}": getattr(stores.columns, name)[:size].tobytes() for name in COLUMNS
    }
    told["states"] = stores.states.packed(stores.states.allotted)
    pairs = stores.covisit
    told["covisit"] = {row: pairs.pack(row) for row in pairs.taken.tolist()}
    return told | {table: dict(stores.online.scan(table)) for table in TABLES}


def sharded(home: Path, folder: Path, now: float) -> int:
    """How many users get another answer from the node that holds them than from one with all."""
    dice = np.random.default_rng(1)
    users = [f"u{n}" for n in dice.choice(USERS, ASKED, replace=False).tolist()]
    parts = [folder / f"shard{shard}" for shard in range(SHARDS)]
    for shard, part in enumerate(parts):  # before anybody is asked: what is shown is an event
        shutil.copytree(home, part)
        let_go(part, shard)
    whole = answers(home, users, now)
    wrong = 0
    for shard, part in enumerate(parts):
        mine = [user for user in users if shard_of(user) == shard]
        found = answers(part, mine, now)
        wrong += sum(found[user] != whole[user] for user in mine)
    return wrong


def shard_of(user: str) -> int:
    """Which node holds a user: the highest bits of the key, as a router would."""
    return user_key(user) * SHARDS >> 64


def let_go(home: Path, shard: int) -> None:
    """Forget the records of everybody who belongs elsewhere."""
    stores = open_stores(load(home, {}), writer=True)
    try:
        others = {
            key: None for key, _ in stores.online.scan("users") if key * SHARDS >> 64 != shard
        }
        stores.online.commit(StateChange(stores.online.position(), others))
    finally:
        close(stores)


def answers(home: Path, users: Sequence[str], now: float) -> dict[str, list[tuple[str, float]]]:
    """What each of them is recommended, with the same lot everywhere."""
    clock = FixedClock(now)
    found = {}
    with palate.Site.open(home, clock=clock) as site:
        for user in users:
            clock.next_draw = user_key(user) >> 1
            page = site.recommend("home", user_id=user, limit=LIMIT)
            found[user] = [(entry.item_id, round(entry.score, 6)) for entry in page.items]
    return found


def spends(home: Path, workers: int, seconds: float) -> dict[str, float]:
    """Answers a second of so many workers on so many cores, and CPU of each."""
    cores = set(sorted(os.sched_getaffinity(0))[:workers])
    paths = [f"/v1/recommendations/home?user_id=u{n}&limit={LIMIT}" for n in range(2_000)]
    with serving(home, cores, workers) as server:

        async def asked() -> float:
            async with wires("127.0.0.1", server.port, CONNECTIONS) as held_open:
                await closed_loop(held_open, paths, 1.0)
                before = cpu_seconds(server.workers)
                rate = await closed_loop(held_open, paths, seconds)
                spent.append(cpu_seconds(server.workers) - before)
                return rate

        spent: list[float] = []
        rate = asyncio.run(asked())
    return {
        "per_second": round(rate, 1),
        "cpu_milliseconds": round(1e3 * spent[0] / (rate * seconds), 3),
    }


def table(told: dict[str, Any]) -> str:
    """For people."""
    good = told["answers"] - told["answers_different"]
    same = "a second node that follows the log has the same columns, counters, pairs and records"
    alike = f"{good} of {told['answers']} alike"
    lines = [
        source(told),
        "",
        "| assumed | found |",
        "|---|---|",
        f"| {same} | {_named(told['different'])} |",
        f"| users on {SHARDS} nodes are answered as on one | {alike} |",
    ]
    lines += [
        f"| {workers} workers on as many cores | {each['per_second']} answers/s,"
        f" {each['cpu_milliseconds']} ms of CPU each |"
        for workers, each in told["workers"].items()
    ]
    return "\n".join(lines)


def _named(different: Sequence[str]) -> str:
    return f"different: {', '.join(different)}" if different else "byte for byte"


if __name__ == "__main__":
    main(sys.argv[1:])

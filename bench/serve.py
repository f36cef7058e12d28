"""Drive a real server over HTTP at fixed rates: latency by stage and whole, CPU, memory.

    python bench/serve.py --items 10000 --items 100000 [--users 100000] [--seconds 10] [--write]
        [--site DIR] [--warm 30]

One worker of `palate serve` is held to one core; arrivals come from this process, on the other
cores, as an open loop (`load/client.py`). The site is synthetic, of the real shape
(`load/site.py`): it says how long the work takes, and nothing of quality. First a closed loop finds
what the worker can do at most if it leaves nothing out (its questions have time); then come shares
of that as fixed rates, with the site's own budget. `--write` puts it all into docs/performance.md
(and docs/serve.json, docs/serve.svg).
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from load.client import Told, Wire, closed_loop, open_loop, wires
from load.ran import ran
from load.report import merged, percentiles, told_runs, write
from load.server import Server, cpu_seconds, megabytes, serving
from load.site import made

from palate.cli.output import console

SHARES = (0.25, 0.5, 0.8, 0.95)
"""Of what a closed loop reached."""
CLOSED = 8
"""Connections of the closed loop."""
PATIENT = "&budget_ms=60000"
"""In the closed loop nobody is in a hurry. Of eight who wait for each other each has less than the
budget leaves, so their answers would be cut, and cheaper than those at any lower rate."""
OK = 200
KNOB = "palate_quality "


def main(arguments: Sequence[str]) -> None:
    """Run every size, print tables or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--items", type=int, action="append", help="catalogue size; may repeat")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each rate")
    parser.add_argument("--warm", type=float, help="seconds of asking before (a third of a rate's)")
    parser.add_argument("--limit", type=int, default=20, help="items on the page")
    parser.add_argument("--site", type=Path, help="where the site is, or is to be built and left")
    parser.add_argument("--rate", type=float, action="append", help="requests a second; may repeat")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    wanted = parser.parse_args(arguments)
    runs = [run(items, wanted) for items in wanted.items or [10_000]]
    told: dict[str, Any] = {
        **ran("serve", arguments),
        "runs": runs,
    }
    print(msgspec.json.encode(told).decode() if wanted.json else told_runs(told))
    if wanted.write:
        write(merged(told))


def run(items: int, wanted: argparse.Namespace) -> dict[str, Any]:
    """Build the site, serve it, ask."""
    with tempfile.TemporaryDirectory(prefix="palate-serve-") as folder:
        home = wanted.site or Path(folder)
        seconds = made(home, items, wanted.users)
        console.print(f"built in {seconds:.0f} s, starting the server …")
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(0, set(cores[1:]))
        try:
            with serving(home, {cores[0]}) as server:
                asked = paths(wanted.users, wanted.limit)
                return {
                    "items": items,
                    "users": wanted.users,
                    **asyncio.run(measured(server, asked, wanted)),
                }
        finally:
            os.sched_setaffinity(0, set(cores))


def paths(users: int, limit: int) -> list[str]:
    """Home, for users at random; a few are strangers."""
    dice = np.random.default_rng(3)
    who = dice.integers(0, int(users * 1.02), 20_000).tolist()
    return [f"/v1/recommendations/home?user_id=u{n}&limit={limit}" for n in who]


async def measured(
    server: Server, asked: Sequence[str], wanted: argparse.Namespace
) -> dict[str, Any]:
    """The most it can do, then each rate."""
    workers = server.workers
    whole = [f"{each}{PATIENT}" for each in asked]
    async with wires("127.0.0.1", server.port) as held:
        await closed_loop(held[:CLOSED], whole, wanted.warm or wanted.seconds / 3)
        spent = cpu_seconds(workers)
        most = await closed_loop(held[:CLOSED], whole[5_000:], wanted.seconds)
        spent = cpu_seconds(workers) - spent
        rates = wanted.rate or [round(most * share, 1) for share in SHARES]
        told = []
        for rate in rates:
            before = cpu_seconds(workers)
            found = await open_loop(held, asked, rate, wanted.seconds)
            facts = rate_facts(found, cpu_seconds(workers) - before)
            await asyncio.sleep(1.0)  # until the worker has told where its knob stood
            told.append({**facts, "candidates": await knob(held[0])})
    return {
        "whole": True,
        "most": round(most, 1),
        "closed_cpu_milliseconds": round(1e3 * spent / (most * wanted.seconds), 3),
        "rates": told,
        "memory": megabytes(workers[0]),
    }


async def knob(wire: Wire) -> float:
    """The share of the candidates that the worker looked at in the end."""
    _, told = await wire.get("/metrics")
    [line] = [each for each in told.decode().splitlines() if each.startswith(KNOB)]
    return round(float(line.removeprefix(KNOB)), 3)


def rate_facts(found: Told, cpu: float) -> dict[str, Any]:
    """One rate in numbers."""
    steps: Counter[str] = Counter()
    stages: dict[str, list[float]] = defaultdict(list)
    inside = []
    for status, raw in zip(found.statuses, found.bodies, strict=True):
        if status != OK:
            steps[str(status)] += 1
            continue
        body = msgspec.json.decode(raw)
        steps[body["step"]] += 1
        inside.append(body["timing"]["total_ms"])
        for name, spent in body["timing"]["stages"].items():
            stages[name].append(spent)
    answered = len(found.statuses)
    return {
        "rate": found.rate,
        "answered": answered,
        "failures": found.failures,
        "steps": dict(steps),
        "per_second": round(answered / found.seconds, 1),
        "milliseconds": percentiles([1e3 * each for each in found.waits]),
        "inside": percentiles(inside),
        "stages": {name: percentiles(times) for name, times in stages.items()},
        "worker_cpu_share": round(cpu / found.seconds, 3),
        "cpu_milliseconds": round(1e3 * cpu / max(answered, 1), 3),
        "body_bytes": round(float(np.mean([len(each) for each in found.bodies]))),
    }


if __name__ == "__main__":
    main(sys.argv[1:])

"""Whether a running site grows: memory of each process over time, under load.

    python bench/soak.py --minutes 30 [--rate 30] [--items 10000] [--workers 2] [--json]

A synthetic site of the real shape, `palate serve` and `palate stream`, Home at a fixed rate (open
loop) and batches of events beside them. Every ten seconds the kernel is asked what each
process holds: resident, its share of what is shared (PSS), and what is its own: anonymous, for a
mapped file that one process alone has open is the kernel's to drop. The first
third is left out, for caches fill in it; over the rest the slope is the median of all pairs of
samples (Theil-Sen) with its 95 % interval. Ends with 1 where a worker's own memory is above 300 MB
or surely grows by more than `GROWTH`.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL
from time import perf_counter
from typing import Any, NamedTuple

import msgspec
import numpy as np
from load.client import Told, Wire, open_loop, wires
from load.ran import ran, source
from load.server import Server, megabytes, serving
from load.site import build
from scipy.stats import theilslopes

from palate.clock import SystemClock
from palate.settings import Settings

OK = 200
EVERY, ROUND, SENT = 10.0, 5.0, 0.25
"""Seconds between samples, of a round of load, and between batches of events."""
BATCH, FILLING = 10, 1 / 3
"""Events in a batch; share of the time in which caches fill."""
MOST, GROWTH = 300.0, 20.0
"""Megabytes that are a worker's own at most, and by which it may seem to grow in an hour."""


class Sample(NamedTuple):
    """What one process held at one time, in megabytes."""

    seconds: float
    resident: float
    shared: float
    """PSS: pages that n processes map count a n-th."""
    own: float
    """Anonymous."""


class Slope(NamedTuple):
    """Megabytes an hour, and the ends of the 95 % interval."""

    per_hour: float
    low: float
    high: float


def main(arguments: Sequence[str]) -> int:
    """Build, soak, tell; 1 where a worker is too large or grows."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=30.0, help="requests a second")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="palate-soak-") as folder:
        settings = Settings(home=Path(folder))
        build(settings, (wanted.items, wanted.items), wanted.users, SystemClock().now())
        every = min(EVERY, 3.0 * wanted.minutes)
        with serving(settings.home, os.sched_getaffinity(0), wanted.workers) as server:
            told = soaked(settings.home, server, wanted, every)
    told = ran("soak", arguments) | told
    print(msgspec.json.encode(told).decode() if wanted.json else table(told))
    return int(bool(told["wrong"]))


def soaked(
    home: Path, server: Server, wanted: argparse.Namespace, every: float = EVERY
) -> dict[str, Any]:
    """Load, and look now and then; what was seen, by process."""
    with _streaming(home) as stream:
        names = {pid: f"worker {n + 1}" for n, pid in enumerate(server.workers)}
        names[stream.pid] = "stream"
        seen, parts = asyncio.run(_loaded(server, wanted, every, list(names)))
    processes = {names[pid]: _facts(samples) for pid, samples in seen.items()}
    return {
        "answered": sum(part.statuses.count(OK) for part in parts),
        "failed": sum(
            len(part.statuses) - part.statuses.count(OK) + part.failures for part in parts
        ),
        "processes": processes,
        "wrong": wrong(processes),
    }


def wrong(processes: dict[str, dict[str, Any]]) -> list[str]:
    """In words: which worker is too large, which one surely grows."""
    found = []
    for name, told in processes.items():
        if name.startswith("worker") and told["most_own"] > MOST:
            found.append(f"{name} holds {told['most_own']:.0f} MB of its own")
        if told["own_per_hour"]["low"] > GROWTH:
            found.append(f"{name} grows by {told['own_per_hour']['per_hour']:.0f} MB an hour")
    return found


@contextmanager
def _streaming(home: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "palate.cli", "stream", "--site", str(home)]
    process = subprocess.Popen(command, stdout=DEVNULL, stderr=DEVNULL)  # noqa: S603  ourselves
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


async def _loaded(
    server: Server, wanted: argparse.Namespace, every: float, pids: Sequence[int]
) -> tuple[dict[int, list[Sample]], list[Told]]:
    started, seen, parts = perf_counter(), defaultdict[int, list[Sample]](list), list[Told]()
    paths = [f"/v1/recommendations/home?user_id=u{n}&limit=20" for n in range(wanted.users)]
    until = started + 60.0 * wanted.minutes
    beside = [
        asyncio.create_task(_sending(server.port, wanted)),
        asyncio.create_task(_looking(started, every, pids, seen)),
    ]
    async with wires("127.0.0.1", server.port, 32) as held:
        while perf_counter() < until:
            seconds = min(ROUND, until - perf_counter() + 0.1)
            parts.append(await open_loop(held, paths, wanted.rate, seconds, len(parts)))
            sent = len(parts[-1].waits) % len(paths)
            paths = paths[sent:] + paths[:sent]  # a round goes on where the last one ended
    for task in beside:
        task.cancel()
    await asyncio.gather(*beside, return_exceptions=True)
    return seen, parts


async def _sending(port: int, wanted: argparse.Namespace) -> None:
    wire, dice = Wire("127.0.0.1", port), np.random.default_rng(2)
    while True:
        users = dice.integers(0, wanted.users, BATCH).tolist()
        items = dice.integers(0, wanted.items, BATCH).tolist()
        acts = [
            {"kind": "click", "user_id": f"u{user}", "item_id": f"i{item}"}
            for user, item in zip(users, items, strict=True)
        ]
        await wire.send("POST", "/v1/events", msgspec.json.encode({"events": acts}))
        await asyncio.sleep(SENT)


async def _looking(
    started: float, every: float, pids: Sequence[int], seen: dict[int, list[Sample]]
) -> None:
    while True:
        for pid in pids:
            seen[pid].append(sample(pid, perf_counter() - started))
        await asyncio.sleep(every)


def sample(pid: int, seconds: float) -> Sample:
    """Ask the kernel."""
    held = megabytes(pid)
    return Sample(seconds, held["resident"], held["shared"], held["anonymous"])


def _facts(samples: Sequence[Sample]) -> dict[str, Any]:
    rest = [each for each in samples if each.seconds >= FILLING * samples[-1].seconds]
    return {
        "samples": len(samples),
        "first": samples[0]._asdict(),
        "last": samples[-1]._asdict(),
        "most_own": max(each.own for each in samples),
        "own_per_hour": slope([s.seconds for s in rest], [s.own for s in rest])._asdict(),
        "resident_per_hour": slope([s.seconds for s in rest], [s.resident for s in rest])._asdict(),
    }


def slope(seconds: Sequence[float], held: Sequence[float]) -> Slope:
    """Megabytes an hour."""
    found = theilslopes(held, np.array(seconds) / 3600.0, 0.95)
    return Slope(*(round(float(each), 2) for each in (found.slope, found[2], found[3])))


def table(told: dict[str, Any]) -> str:
    """For the terminal and docs/performance.md."""
    lines = [
        source(told),
        f"{told['answered']:,} answered, {told['failed']} failed",
        "| process | resident | PSS | USS first / last / most MB | an hour (95 %) | resident |",
        "|---|---|---|---|---|---|",
    ]
    for name, each in told["processes"].items():
        last, own = each["last"], each["own_per_hour"]
        sizes = f"{each['first']['own']:.0f} / {last['own']:.0f} / {each['most_own']:.0f}"
        grows = f"{own['per_hour']:+.1f} ({own['low']:+.1f} to {own['high']:+.1f})"
        lines.append(
            f"| {name} | {last['resident']:.0f} | {last['shared']:.0f} | {sizes} | {grows}"
            f" | {each['resident_per_hour']['per_hour']:+.1f} |"
        )
    return "\n".join([*lines, *(f"**{each}**" for each in told["wrong"])])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

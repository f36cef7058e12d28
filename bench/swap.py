"""What visitors notice of training, of a release swap and of a rolling restart.

    PALATE_DATA=../shared/data python bench/swap.py [--rate 50] [--seconds 15] [--site DIR] [--json]

MovieLens-100K as a site with a trained release, `palate serve` with two workers, and arrivals at a
fixed rate from this process (open loop, timed from when each was due). Then, under that load:
nothing; `palate train` beside it at its low priority; releases promoted to and fro; SIGHUP, upon
which every worker is replaced by a warm one. Each phase is told by its answers, its failures and
its latency: *again* are those whose idle connection had been closed, so that the client asked once
more on a new one. The load generator and the training share the cores with the server.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import msgspec
import numpy as np
from load.client import Told, open_loop, wires
from load.ran import ran, source
from load.report import percentiles
from load.server import Server, serving

from palate.cli.output import console
from palate.releases.directory import ReleaseDirectory
from palate.settings_files import load

OK, TOO_BUSY = 200, 503
SWAPS, PAUSE = 4, 4.0
"""Promotions, and seconds between two of them."""
ROUND, LONGEST = 5.0, 120
"""Seconds of load between two looks at the deed; and of a restart."""
GENTLY = ("nice", "-n", "10")
PALATE = (sys.executable, "-m", "palate.cli")
USERS = np.random.default_rng(3).integers(1, 944, 5_000).tolist()
PATHS = [f"/v1/recommendations/home?user_id={n}&limit=20" for n in USERS]


def main(arguments: Sequence[str]) -> None:
    """Build the site, run every phase, print a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=15.0, help="of the quiet phase")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--site", type=Path, help="made where it is not, and kept")
    parser.add_argument("--without-training", action="store_true", help="leave that phase out")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="palate-swap-") as folder:
        home = wanted.site or Path(folder) / "site"
        if not home.exists():
            _built(home)
        with serving(home, os.sched_getaffinity(0), wanted.workers) as server:
            phases = asyncio.run(_phases(home, server, wanted))
    told = {
        **ran("swap", arguments),
        "workers": wanted.workers,
        "phases": phases,
    }
    print(msgspec.json.encode(told).decode() if wanted.json else _table(told))


def _built(home: Path) -> None:
    """A site with one release, through the commands that everybody uses."""
    for told in (["init", str(home)], ["data", "movielens-100k", "--site", str(home)]):
        _palate(*told)
    _palate("stream", "--once", "--site", str(home))
    console.print("training the first release …")
    _palate("train", "--site", str(home))


def _palate(*told: str) -> None:
    subprocess.run([*PALATE, *told], check=True, stdout=DEVNULL)  # noqa: S603  ourselves


@dataclass(frozen=True, slots=True)
class _Site:
    """What is done to a running site."""

    home: Path
    server: Server
    wanted: argparse.Namespace

    async def phase(self, name: str, deed: Awaitable[None]) -> dict[str, Any]:
        """Load for as long as the deed takes."""
        console.print(f"{name} …")
        doing, parts = asyncio.ensure_future(deed), list[Told]()
        async with wires("127.0.0.1", self.server.port) as held:
            while not doing.done():
                rate, seed = self.wanted.rate, len(parts)
                parts.append(await open_loop(held, PATHS, rate, ROUND, seed))
        await doing
        return _facts(name, parts)

    async def quiet(self) -> None:
        await asyncio.sleep(self.wanted.seconds)

    async def training(self) -> None:
        await self._beside("train")

    async def _beside(self, *told: str) -> None:
        """A command in a process of its own, at the low priority that `palate up` gives it."""
        command = (*GENTLY, *PALATE, *told, "--site", str(self.home))
        process = await asyncio.create_subprocess_exec(*command, stdout=DEVNULL, stderr=DEVNULL)
        if await process.wait():
            raise RuntimeError(f"`palate {told[0]}` ended with {process.returncode}")

    async def swapping(self) -> None:
        directory = ReleaseDirectory(load(self.home, os.environ).path("releases"))
        names = directory.names()[-2:]
        for n in range(SWAPS):
            await self._beside("releases", "promote", names[n % len(names)])
            await asyncio.sleep(PAUSE)

    async def rolling(self) -> None:
        before = set(self.server.workers)
        self.server.process.send_signal(signal.SIGHUP)
        for _ in range(LONGEST):
            await asyncio.sleep(1.0)
            if not set(self.server.workers) & before:
                return
        raise RuntimeError(f"the workers were not replaced within {LONGEST} seconds")


async def _phases(home: Path, server: Server, wanted: argparse.Namespace) -> list[dict[str, Any]]:
    site = _Site(home, server, wanted)
    await site.phase("warming", site.quiet())
    phases = [await site.phase("nothing else", site.quiet())]
    if not wanted.without_training:
        phases.append(await site.phase("palate train beside it", site.training()))
    phases.append(await site.phase("four release swaps", site.swapping()))
    phases.append(await site.phase("rolling restart", site.rolling()))
    return phases


def _facts(name: str, parts: Sequence[Told]) -> dict[str, Any]:
    statuses = [status for part in parts for status in part.statuses]
    waits = [1e3 * each for part in parts for each in part.waits]
    broken = sum((part.broken for part in parts), Counter[str]())
    broken += Counter(f"status {each}" for each in statuses if each not in (OK, TOO_BUSY))
    return {
        "phase": name,
        "seconds": round(sum(part.seconds for part in parts), 1),
        "answered": statuses.count(OK),
        "told_to_come_back": statuses.count(TOO_BUSY),
        "again": sum(part.again for part in parts),
        "failed": dict(broken),
        "milliseconds": percentiles(waits) | {"longest": round(max(waits, default=0.0), 1)},
    }


def _table(told: dict[str, Any]) -> str:
    lines = [
        source(told),
        "| under load | answered | of these asked again | failed | p50 | p99 | longest ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in told["phases"]:
        found = each["milliseconds"]
        failed = ", ".join(f"{count} {how}" for how, count in each["failed"].items()) or "0"
        lines.append(
            f"| {each['phase']} ({each['seconds']:.0f} s) | {each['answered']:,} | {each['again']}"
            f" | {failed} | {found['p50']:.1f} | {found['p99']:.1f} | {found['longest']:.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])

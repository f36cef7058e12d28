"""How much memory a node takes: each process's own, what they share, and what lies on disk.

    python bench/memory.py --items 1000000 [--users 100000] [--workers 2] [--site DIR] [--json]

A synthetic site of the real shape (`load/site.py`) is built, or taken where `--site` names a folder
that holds one (it is left there). With `--full` only so many items have contents, and the rest is
mapped, found and empty: ten million fit into the minutes that a shared machine has. With `--taken`
so much was taken in all, by Zipf's law, as on a real site; without it every item has all it can
have, which is the most that a site can need. `palate serve`
is started on it, asked for some seconds, and looked at through the kernel's own books
(``smaps_rollup``). *Private* is what a process has for itself; *shared* is its part of pages that
others have too, by their number; *mapped* is what it has touched of files, which the kernel may
take back at any time.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from capacity import Shares, item_bytes
from load.client import closed_loop, wires
from load.ran import ran
from load.server import Server, serving, tree
from load.site import made
from serve import CLOSED, paths

from palate.catalog.columns import ItemColumns
from palate.cli.output import facts, table_of
from palate.models.covisit import Covisit
from palate.settings import Settings
from palate.stores import COVISIT, open_states

MEGA = 1 << 20


def main(arguments: Sequence[str]) -> None:
    """Build or take a site, serve it, and look."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=30.0, help="of asking")
    parser.add_argument("--full", type=int, help="items with contents; the rest lies there empty")
    parser.add_argument("--taken", type=int, help="in all, by Zipf's law; else each by everybody")
    parser.add_argument("--site", type=Path, help="where the site is, or is to be built")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="palate-memory-") as folder:
        home = wanted.site or Path(folder)
        seconds = made(home, wanted.items, wanted.users, wanted.full, wanted.taken)
        told: dict[str, Any] = {"built_seconds": seconds, **looked_at(home, wanted)}
        told["shares"] = shares(home)
    told |= {
        **ran("memory", arguments),
    }
    if wanted.json:
        facts(told, as_json=True, table="")
        return
    for name in ("processes", "files"):
        found = told.pop(name)
        rows = [tuple(str(cell) for cell in each.values()) for each in found]
        facts(found, as_json=False, table=table_of(name, tuple(found[0]), rows))
    lines = [(name, str(value)) for name, value in told.items()]
    facts(told, as_json=False, table=table_of("site", ("what", "value"), lines))


def looked_at(home: Path, wanted: argparse.Namespace) -> dict[str, Any]:
    """Serve, ask, and read the kernel's books."""
    started = perf_counter()
    with serving(home, os.sched_getaffinity(0), wanted.workers) as server:
        ready = perf_counter() - started
        idle = {pid: books(pid)["private MB"] for pid in server.workers}
        rate = asyncio.run(_asked(server, wanted))
        workers = server.workers
        processes = [books(pid, "worker" if pid in workers else "") for pid in tree_of(server)]
        files = by_file(home, tree_of(server))
        largest = private_of(workers[0])
    return {
        "ready_seconds": round(ready, 1),
        "requests_per_second": round(rate, 1),
        "private_before_requests": list(idle.values()),
        "processes": processes,
        "node_megabytes": round(sum(each["own part MB"] for each in processes), 1),
        "files": files,
        "private_by_place": largest,
        "on_disk_megabytes": on_disk(home),
    }


def shares(home: Path) -> dict[str, float]:
    """Of the items: how many were taken, counted, and by whom; and what one takes, by arithmetic.

    That is without its page's neighbours, so touched pages come to more where few were taken.
    """
    settings = Settings(home=home)
    states = open_states(settings)
    taken = Covisit.open(settings.path(settings.stores.columns) / COVISIT, settings.covisit).taken
    items = ItemColumns.open(home / "columns" / "items").size
    seats = states.engaged.seats[states.slots[states.allotted]]
    each = {
        "taken": len(taken) / items,
        "counted": len(seats) / items,
        "few": float((seats < 0).sum()) / items,
        "wide": float((seats > 0).sum()) / items,
    }
    by_arithmetic = item_bytes(items, Shares(**each))
    return {name: round(share, 4) for name, share in each.items()} | {"bytes": round(by_arithmetic)}


async def _asked(server: Server, wanted: argparse.Namespace) -> float:
    async with wires("127.0.0.1", server.port) as held:
        return await closed_loop(held[:CLOSED], paths(wanted.users, 20), wanted.seconds)


def tree_of(server: Server) -> list[int]:
    """All processes of the server."""
    return tree(server.process.pid)


def books(pid: int, name: str = "") -> dict[str, Any]:
    """One process, in megabytes."""
    told: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()[1:]:
        key, _, rest = line.partition(":")
        told[key] = int(rest.split()[0]) if rest.split() else 0
    private = told["Private_Clean"] + told["Private_Dirty"]
    line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:60]
    return {
        "process": f"{pid} {name or line}",
        "private MB": round(private / 1024, 1),
        "shared MB": round((told["Pss"] - private) / 1024, 1),
        "own part MB": round(told["Pss"] / 1024, 1),
        "mapped MB": round((told["Rss"] - told["Anonymous"]) / 1024, 1),
        "anonymous MB": round(told["Anonymous"] / 1024, 1),
    }


def by_file(home: Path, pids: Sequence[int], least: float = 1.0) -> list[dict[str, Any]]:
    """The site's files of some size: bytes of an item on the disk, and what all processes hold.

    A page counts once, however many processes map it.
    """
    items = ItemColumns.open(home / "columns" / "items").size
    held: dict[str, float] = defaultdict(float)
    for pid in pids:
        for place, size in by_place(pid, {"Pss:"}).items():
            held[place] += size
    told = []
    for each in sorted(home.rglob("*")):
        size = each.stat().st_blocks * 512 / MEGA if each.is_file() else 0.0
        if size >= least:
            row = {"file": str(each.relative_to(home)), "disk MB": round(size, 1)}
            row["bytes an item"] = round(size * MEGA / items, 1)
            told.append(row | {"held MB": round(held[str(each)], 1)})
    return told


def private_of(pid: int, most: int = 14) -> dict[str, float]:
    """Where the private megabytes of a process lie: by mapped file, or the heap's kinds."""
    held = by_place(pid, {"Private_Clean:", "Private_Dirty:"})
    largest = sorted(held.items(), key=lambda each: -each[1])[:most]
    return {Path(name).name or name: round(size, 1) for name, size in largest}


def by_place(pid: int, kinds: set[str]) -> dict[str, float]:
    """Megabytes of these kinds of ``smaps``, by mapped file, or the heap's kinds."""
    held: dict[str, float] = defaultdict(float)
    place = ""
    for line in Path(f"/proc/{pid}/smaps").read_text("utf-8").splitlines():
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            place = words[5] if len(words) > 5 else "anonymous"  # noqa: PLR2004  as proc(5) says
        elif words[0] in kinds:
            held[place] += int(words[1]) / 1024
    return held


def on_disk(home: Path) -> dict[str, float]:
    """What each folder and file of the site takes."""
    held: dict[str, float] = defaultdict(float)
    for each in home.rglob("*"):
        if each.is_file():
            stat = each.stat()
            held[each.relative_to(home).parts[0]] += stat.st_blocks * 512 / MEGA
    return {name: round(size, 1) for name, size in sorted(held.items(), key=lambda x: -x[1])}


if __name__ == "__main__":
    main(sys.argv[1:])

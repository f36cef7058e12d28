"""Break one thing after the other under load, and count the answers that were lawful all the same.

    python bench/chaos.py [--items 2000] [--rate 40] [--seconds 4] [--only NAME] [--json] [--write]

`palate up` with two workers; visitors ask at a fixed rate from this process, each with one more try
where a connection breaks or hangs, as any load balancer does. Lawful: 200, not empty, no item
twice, nothing that may not be shown. Clients send events meanwhile: what was acknowledged has to be
in the log afterwards, and what could not be is told 503. The disk that is full is a tmpfs of the
bench's own where it may mount one; all else that a disk or a clock does wrong comes from
`load/disturbed.c`, which only the site's processes load.
"""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, time
from typing import Any

import httpx
import msgspec
from living.up import free_port, up
from load.broken import write_surfaces
from load.disturbed import Disturbed
from load.faults import FAULTS_OF_FILES, columns, cut_columns, cut_state, live_release, log, state
from load.lawful import Judged, crowd, is_hidden
from load.mounted import mounted
from load.ran import ran, source
from load.report import lay
from load.scene import (
    DAY,
    LIMIT,
    USERS,
    Break,
    Scene,
    at_a_start,
    clock,
    full_disk,
    kill_server,
    kill_worker,
    killed,
    of_file,
    poisoned,
    quiet,
    read_only_disk,
    slow_disk,
    stands_still,
    stop_supervisor,
    stop_worker,
    stopped,
    ten_times,
    ten_times_the_events,
)
from load.sending import Sent, sending
from load.site import build

from palate.catalog.item import Item
from palate.cli.output import console
from palate.settings import FILE, Settings
from palate.stores import open_sources

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
BEGIN, END = "<!-- bench/chaos.py: begin -->", "<!-- bench/chaos.py: end -->"
SETTLED = 120.0
"""Seconds that a site has to be itself again."""
MEGABYTES = 1_024
"""Of the file system of its own."""
SETTINGS = """
[site]
name = "chaos"
[training]
min_events = 1000000000
[attribution]
every_seconds = 2.0
[serving]
stuck_seconds = 4.0
"""
"""The trainer waits; the join is at work all the time; who stands still is ended soon."""
OK, WORKERS = 200, 2
HEAD = (
    "fault",
    "asked",
    "lawful 200",
    "second try",
    "slowest",
    "rungs",
    "else",
    "events acknowledged",
    "lost",
    "told 503",
)


def main(arguments: Sequence[str]) -> None:
    """Run every fault, print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--items", type=int, default=2_000)
    parser.add_argument("--rate", type=float, default=40.0)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each fault")
    parser.add_argument("--only", action="append", help="these faults alone")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="into docs/reliability.md")
    wanted = parser.parse_args(arguments)
    found = run(wanted.items, wanted.rate, wanted.seconds, set(wanted.only or ()) or None)
    told: dict[str, Any] = {
        **ran("chaos", arguments),
        "faults": found,
    }
    print(msgspec.json.encode(told).decode() if wanted.json else table(told))
    if wanted.write:
        lay(PAGE, BEGIN, END, table(told))


def run(
    items: int,
    rate: float,
    seconds: float,
    only: set[str] | None = None,
    *,
    mounts: bool = True,
) -> dict[str, dict[str, Any]]:
    """Every fault by name, and what came of the questions meanwhile."""
    found = {}
    with _running(items, rate, seconds, mounts=mounts) as scene:
        for name, (surfaces, happens) in faults(scene.home).items():
            if only is None or name in only:
                console.print(f"{name} …")
                try:
                    found[name] = asyncio.run(_one(scene, name, surfaces, happens))
                except RuntimeError:
                    console.print(msgspec.json.encode(found).decode(), markup=False)
                    raise
    return found


def faults(home: Path) -> dict[str, tuple[tuple[str, ...], Break]]:
    """By name: the surfaces that are asked, and what happens meanwhile."""
    usual = ("home", "trending")
    wrong = {f"generator or ranker: {name}": ((name,), quiet) for name in write_surfaces(home)}
    return {"nothing": (usual, quiet), **wrong, **{n: (usual, b) for n, b in _breaks().items()}}


def _breaks() -> dict[str, Break]:
    """What happens to processes, disks, clocks and files."""
    roles = ("stream", "attribute", "train")
    return {
        "ten times the traffic": ten_times,
        "ten times the events": ten_times_the_events,
        "poisoned events": poisoned,
        "a generator that never awaits": stands_still("stops"),
        "a ranker that never comes back": stands_still("ranks_stops"),
        "a worker killed": kill_worker,
        "a worker stopped (SIGSTOP)": stop_worker,
        **{f"{role} killed": killed(role) for role in roles},
        **{f"{role} stopped (SIGSTOP)": stopped(role) for role in roles},
        "supervisor stopped (SIGSTOP), stream killed": stop_supervisor,
        "disk full, a worker killed": full_disk,
        "disk read-only, a worker killed": read_only_disk,
        "disk slow by 50 ms a write, a worker killed": slow_disk,
        "clock a day ahead": clock(DAY),
        "clock a day behind": clock(-DAY),
        **{name: of_file(damage) for name, damage in FAULTS_OF_FILES.items()},
        "event log damaged, a worker killed": at_a_start(log),
        "live release damaged, a worker killed": at_a_start(live_release),
        "state (LMDB) damaged, stream and a worker killed": at_a_start(state, "stream"),
        "state (LMDB) damaged while it runs": of_file(state),
        "state (LMDB) cut in half: all workers die (SIGBUS)": of_file(cut_state),
        "mapped columns damaged": of_file(columns),
        "mapped columns damaged, stream and a worker killed": at_a_start(columns, "stream"),
        "mapped columns cut off: all workers die (SIGBUS)": of_file(cut_columns),
        "server killed with all workers": kill_server,
    }


async def _one(scene: Scene, name: str, surfaces: Sequence[str], happens: Break) -> dict[str, Any]:
    paths = [
        f"/v1/recommendations/{surface}?user_id=u{n % USERS}&limit={LIMIT}"
        for n in range(5 * USERS)
        for surface in surfaces
    ]
    scene.judged, scene.sent, stop = Judged(), Sent(name.replace(" ", "_")), asyncio.Event()
    asking = asyncio.create_task(crowd(scene.port, paths, scene.rate, stop, scene.judged))
    telling = asyncio.create_task(
        sending(scene.port, scene.items, 5 * scene.rate, stop, scene.sent)
    )
    said, started = len(scene.said()), perf_counter()
    await asyncio.sleep(scene.seconds / 4)
    await happens(scene)
    await asyncio.sleep(max(scene.seconds, 2 * scene.seconds - (perf_counter() - started)))
    stop.set()
    await asyncio.gather(asking, telling)
    whole = await level(scene)
    return {
        **scene.judged.facts(),
        "events": scene.sent.facts(scene.home),
        "whole_after": round(whole, 1),
        "log": _remarks(scene.said()[said:]),
    }


async def level(scene: Scene) -> float:
    """Seconds until both workers listen, and the log is folded. Raises RuntimeError."""
    started = perf_counter()
    async with httpx.AsyncClient(base_url=scene.up.url, timeout=5.0, trust_env=False) as client:
        while perf_counter() - started < SETTLED:
            try:
                answer = await client.get("/readyz")
            except httpx.HTTPError:
                answer = None
            if answer and _whole(answer) and scene.listening() == WORKERS:
                return perf_counter() - started
            await asyncio.sleep(0.2)
    told = f"{answer.text if answer else None}, {scene.listening()} listening"
    raise RuntimeError("\n".join(["the site did not come back", told, *scene.said()[-30:]]))


def _whole(answer: httpx.Response) -> bool:
    return answer.status_code == OK and not answer.json()["lag_seconds"]


def _remarks(lines: Sequence[str]) -> dict[str, int]:
    """Each sentence with how often it was said; numbers that differ make no other sentence."""
    bare = [line.partition("│")[2].strip()[:300] for line in lines if "│" in line]
    return dict(Counter(line for line in bare if line).most_common(12))


@contextmanager
def _running(items: int, rate: float, seconds: float, *, mounts: bool) -> Iterator[Scene]:
    with tempfile.TemporaryDirectory(prefix="palate-chaos-") as folder:
        home = Path(folder) / "site"
        home.mkdir()
        disturbed = Disturbed(Path(folder), home)
        with mounted(home, MEGABYTES if mounts else 0) as own:
            _site(home, items)
            write_surfaces(home)
            said = Path(folder) / "said.log"
            with up(
                home, WORKERS, free_port(), log=said, environment=disturbed.environment
            ) as site:
                site.wait(folded=False)
                scene = Scene(site, disturbed, items, rate, seconds, own)
                asyncio.run(level(scene))
                yield scene


def _site(home: Path, items: int) -> None:
    settings = Settings(home=home)
    build(settings, (items, items), USERS, time())
    (home / FILE).write_text(SETTINGS, "utf-8")
    hidden = [Item(item_id=f"i{n}", hidden=True) for n in range(items) if is_hidden(f"i{n}")]
    with open_sources(settings) as sources:
        sources.items.put(hidden)


def table(told: Mapping[str, Any]) -> str:
    """For people."""
    lines = [
        source(told),
        "",
        f"| {' | '.join(HEAD)} |",
        "|---" * len(HEAD) + "|",
    ]
    lines += [_row(name, each) for name, each in told["faults"].items()]
    return "\n".join([*lines, "", *_said(told["faults"])])


def _row(name: str, each: Mapping[str, Any]) -> str:
    steps = ", ".join(f"{step} {count}" for step, count in each["steps"].items())
    events = each["events"]
    wrong = ", ".join(f"{what}: {count}" for what, count in [*each["wrong"].items()])
    if events["wrong"]:
        wrong += f" events: {events['wrong']}"
    cells = [
        name, each["asked"], f"{each['share']:.2%}", each["again"], f"{each['slowest_ms']:.0f} ms",
        steps, wrong, f"{events['acknowledged']:,}", events["lost"], events["refused"] or "",
    ]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def _said(found: Mapping[str, Any]) -> list[str]:
    """What was asked in all, and what the log said of each fault."""
    asked = sum(each["asked"] for each in found.values())
    good = sum(each["good"] for each in found.values())
    lost = sum(each["events"]["lost"] for each in found.values())
    acknowledged = sum(each["events"]["acknowledged"] for each in found.values())
    whole = f"In all {good:,} of {asked:,} answers were lawful; {acknowledged:,} events were"
    told = [f"{whole} acknowledged, {lost} of them lost. What the log said:", ""]
    for name, each in found.items():
        if each["log"]:
            line, times = next(iter(each["log"].items()))
            told.append(f"- *{name}*: `{line}`{f' ({times} times)' if times > 1 else ''}")
    return told


if __name__ == "__main__":
    main(sys.argv[1:])

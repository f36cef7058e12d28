"""Break one thing after the other under load, and count the answers that were lawful all the same.

    python bench/chaos.py [--items 2000] [--rate 40] [--seconds 4] [--only NAME] [--json] [--write]

A real site (`palate serve` with two workers, `palate stream`) under the supervisor of `palate up`;
visitors ask at a fixed rate from this process, each with one more try where a connection breaks or
hangs, as any load balancer does. Lawful: 200, not empty, no item twice, nothing that may not be
shown. What happens to acknowledged events is `bench/crash.py`'s.
"""

import argparse
import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import strftime, time
from typing import Any, TypeAlias

import msgspec
from load.broken import write_surfaces
from load.faults import FAULTS_OF_FILES
from load.lawful import Judged, crowd, is_hidden
from load.report import lay
from load.server import tree
from load.site import build

from funnel import machine
from palate.catalog.item import Item
from palate.cli.output import console
from palate.serving.supervisor import Supervisor, ready, site_roles
from palate.settings import FILE, ServingSettings, Settings
from palate.stores import open_sources

LIMIT = 12
USERS = 500
PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
BEGIN, END = "<!-- bench/chaos.py: begin -->", "<!-- bench/chaos.py: end -->"
SETTLED = 120.0


@dataclass(slots=True)
class Scene:
    """A site that runs, and how it is asked."""

    home: Path
    port: int
    supervisor: Supervisor
    rate: float
    seconds: float
    said: list[str]
    judged: Judged = field(default_factory=Judged)
    """What came of everybody's questions since something else began to happen."""

    def pid(self, role: str) -> int:
        """The process of a role. Raises RuntimeError where it does not live."""
        found = self.supervisor.pid(role)
        if found is None:
            raise RuntimeError(f"{role} does not live")
        # the supervisor's child is tethered: the role itself is below or is it
        return found

    def workers(self) -> list[int]:
        """The processes that answer."""
        serve = tree(self.pid("serve"))
        return [each for each in serve if tree(each) == [each] and not _tracker(each)]


Break: TypeAlias = Callable[[Scene], Awaitable[None]]


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
    found = asyncio.run(
        run(wanted.items, wanted.rate, wanted.seconds, set(wanted.only or ()) or None)
    )
    told: dict[str, Any] = {
        "machine": machine(),
        "date": strftime("%Y-%m-%d"),
        "command": " ".join(["bench/chaos.py", *(a for a in arguments if a != "--write")]),
        "faults": found,
    }
    print(msgspec.json.encode(told).decode() if wanted.json else table(told))
    if wanted.write:
        lay(PAGE, BEGIN, END, table(told))


async def run(
    items: int, rate: float, seconds: float, only: set[str] | None = None
) -> dict[str, dict[str, Any]]:
    """Every fault by name, and what came of the questions meanwhile."""
    with tempfile.TemporaryDirectory(prefix="palate-chaos-") as folder:
        home = Path(folder)
        _site(home, items)
        found = {}
        async with _running(home, rate, seconds) as scene:
            for name, (surfaces, happens) in faults(home).items():
                if only is None or name in only:
                    console.print(f"{name} …")
                    found[name] = await _one(scene, surfaces, happens)
        return found


def faults(home: Path) -> dict[str, tuple[tuple[str, ...], Break]]:
    """By name: the surfaces that are asked, and what happens meanwhile."""
    usual = ("home", "trending")
    wrong = {f"generator or ranker: {name}": ((name,), quiet) for name in write_surfaces(home)}
    files = {name: (usual, _of_file(happens)) for name, happens in FAULTS_OF_FILES.items()}
    return {
        "nothing": (usual, quiet),
        **wrong,
        "ten times the traffic": (usual, ten_times),
        "a worker killed": (usual, kill_worker),
        "a worker stopped (SIGSTOP)": (usual, stop_worker),
        "stream killed": (usual, kill_stream),
        "stream stopped (SIGSTOP)": (usual, stop_stream),
        **files,
        "server killed with all workers": (usual, kill_server),
    }


async def _one(scene: Scene, surfaces: Sequence[str], happens: Break) -> dict[str, Any]:
    paths = [
        f"/v1/recommendations/{surface}?user_id=u{n % USERS}&limit={LIMIT}"
        for n in range(5 * USERS)
        for surface in surfaces
    ]
    scene.judged, stop = Judged(), asyncio.Event()
    asking = asyncio.create_task(crowd(scene.port, paths, scene.rate, stop, scene.judged))
    said = len(scene.said)
    await asyncio.sleep(scene.seconds / 4)
    await happens(scene)
    await asyncio.sleep(scene.seconds)
    stop.set()
    await asking
    if not await ready(f"http://127.0.0.1:{scene.port}", SETTLED):
        raise RuntimeError("the site did not come back")
    return {**scene.judged.facts(), "log": [line[:300] for line in scene.said[said:]][:5]}


async def quiet(scene: Scene) -> None:
    """Nothing happens but the questions."""


async def ten_times(scene: Scene) -> None:
    """Ten times as many ask, and all of them are judged."""
    paths = [f"/v1/recommendations/home?user_id=u{n}&limit={LIMIT}" for n in range(USERS)]
    stop = asyncio.Event()
    more = asyncio.create_task(crowd(scene.port, paths, 9 * scene.rate, stop, scene.judged))
    await asyncio.sleep(scene.seconds / 2)
    stop.set()
    await more


async def kill_worker(scene: Scene) -> None:
    """One of two workers is killed."""
    os.kill(scene.workers()[0], signal.SIGKILL)


async def stop_worker(scene: Scene) -> None:
    """One of two workers stands still for a while."""
    await _stopped(scene.workers()[0], scene.seconds / 2)


async def kill_stream(scene: Scene) -> None:
    """The stream worker is killed; the supervisor starts it again."""
    os.kill(scene.pid("stream"), signal.SIGKILL)


async def stop_stream(scene: Scene) -> None:
    """The stream worker stands still for a while."""
    await _stopped(scene.pid("stream"), scene.seconds / 2)


async def kill_server(scene: Scene) -> None:
    """Nobody is left who could answer, until the supervisor has started the server again."""
    for each in tree(scene.pid("serve")):
        os.kill(each, signal.SIGKILL)


async def _stopped(pid: int, seconds: float) -> None:
    os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(seconds)
    os.kill(pid, signal.SIGCONT)


def _of_file(happens: Callable[[Path], Callable[[], None]]) -> Break:
    """Damage a file for a while; what makes it good again is what `happens` returns."""

    async def broken(scene: Scene) -> None:
        mend = happens(scene.home)
        await asyncio.sleep(scene.seconds / 2)
        mend()

    return broken


def _site(home: Path, items: int) -> None:
    settings = Settings(home=home)
    build(settings, items, USERS, time())
    hidden = [Item(item_id=f"i{n}", hidden=True) for n in range(items) if is_hidden(f"i{n}")]
    with open_sources(settings) as sources:
        sources.items.put(hidden)


@asynccontextmanager
async def _running(home: Path, rate: float, seconds: float) -> Any:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    serving = ServingSettings(port=port, workers=2)
    text = f'[site]\nname = "chaos"\n[serving]\nport = {port}\nworkers = 2\n'
    (home / FILE).write_text(text, "utf-8")
    write_surfaces(home)
    settings = msgspec.structs.replace(Settings(home=home), serving=serving)
    roles = [role for role in site_roles(settings, api_only=True) if role.name in ROLES]
    said: list[str] = []
    async with Supervisor(roles, lambda role, line: said.append(f"{role}: {line}")) as supervisor:
        if not await ready(f"http://127.0.0.1:{port}", SETTLED):
            raise RuntimeError("\n".join(["the site did not start", *said[-20:]]))
        await asyncio.sleep(2.0)  # both workers, and the stream with the catalogue's changes
        yield Scene(home, port, supervisor, rate, seconds, said)
    shutil.rmtree(home / "surfaces", ignore_errors=True)


ROLES = frozenset({"serve", "stream"})


def _tracker(pid: int) -> bool:
    return b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()


def table(told: dict[str, Any]) -> str:
    """For people."""
    machine_ = told["machine"]
    lines = [
        f"`{told['command']}`, {told['date']}; {machine_['processor']}, load {machine_['load']}.",
        "",
        "| fault | asked | lawful 200 | of these at the second try | slowest | rungs | else |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, each in told["faults"].items():
        steps = ", ".join(f"{step} {count}" for step, count in each["steps"].items())
        wrong = ", ".join(f"{what}: {count}" for what, count in each["wrong"].items())
        lines.append(
            f"| {name} | {each['asked']} | {each['share']:.2%} | {each['again']} |"
            f" {each['slowest_ms']:.0f} ms | {steps} | {wrong} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])

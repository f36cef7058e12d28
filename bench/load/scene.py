"""A site that runs, and all that may happen to it while visitors ask and clients send."""

import asyncio
import os
import signal
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from math import nan
from pathlib import Path
from time import time
from typing import TypeAlias

import httpx
from living.up import Up

from load.broken import MARK
from load.disturbed import FULL, READ_ONLY, Disturbed
from load.faults import Mend
from load.lawful import Judged, crowd
from load.mounted import fill
from load.sending import Sent, sending
from load.server import tree
from palate.events.kinds import Event, Kind
from palate.events.sqlite import SqliteLog

LIMIT = 12
USERS = 500
DAY = 86_400
LISTEN = "0A"
"""The state, as the kernel writes it."""
SLOW = 0.05
"""Seconds that each write and each sync of a slow disk takes longer."""


@dataclass(slots=True)
class Scene:
    """A site that runs, and how it is asked."""

    up: Up
    disturbed: Disturbed
    items: int
    rate: float
    seconds: float
    own_disk: bool = False
    """Whether the site lies on a file system of its own."""
    judged: Judged = field(default_factory=Judged)
    """What came of everybody's questions since something else began to happen."""
    sent: Sent = field(default_factory=lambda: Sent("nothing"))
    """What came of the events since then."""

    @property
    def home(self) -> Path:
        """The site's folder."""
        return self.up.home

    @property
    def port(self) -> int:
        """Where it answers."""
        return self.up.port

    def pid(self, role: str) -> int:
        """The process of a role. Raises RuntimeError where it does not live."""
        found = self.up.role(role)
        if not found:
            raise RuntimeError(f"{role} does not live")
        return found[0]

    def workers(self) -> list[int]:
        """The processes that answer."""
        serve = tree(self.pid("serve"))
        return [each for each in serve if tree(each) == [each] and not _tracker(each)]

    def listening(self) -> int:
        """How many workers take connections: each has a socket of its own."""
        lines = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
        found = [line.split() for line in lines]
        return sum(each[3] == LISTEN and int(each[1][-4:], 16) == self.port for each in found)

    def said(self) -> list[str]:
        """What its roles said so far."""
        return self.up.log.read_text("utf-8", "replace").splitlines()


Break: TypeAlias = Callable[[Scene], Awaitable[None]]


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


async def ten_times_the_events(scene: Scene) -> None:
    """Ten times as many events."""
    stop, more = asyncio.Event(), Sent(f"{scene.sent.name}-more")
    rate = 9 * 5 * scene.rate
    burst = asyncio.create_task(sending(scene.port, scene.items, rate, stop, more))
    await asyncio.sleep(scene.seconds / 2)
    stop.set()
    await burst
    scene.sent.acknowledged |= more.acknowledged
    scene.sent.refused += more.refused
    scene.sent.unanswered += more.unanswered
    scene.sent.wrong += more.wrong


async def poisoned(scene: Scene) -> None:
    """Events that no client could have sent are in the log all the same."""
    now = time()
    log = SqliteLog(scene.home / "events.db")
    like = Event(event_id=f"bad-{now}", kind=Kind.LIKE, time=nan, user_id="u1", item_id="i1")
    log.append([like], now)
    log.close()
    with closing(sqlite3.connect(scene.home / "events.db")) as db, db:
        row = (now, f"worse-{now}", 99, now, "u1", "", "i1", None, "", 0, "", b"\xc1\x00")
        db.execute(
            "insert into event (received, event_id, kind, time, user_id, session_id, item_id,"
            " value, surface, place, recommendation_id, rest) values (?,?,?,?,?,?,?,?,?,?,?,?)",
            row,
        )


def killed(role: str) -> Break:
    """The first process of a role is killed; the supervisor starts it again."""

    async def happens(scene: Scene) -> None:
        os.kill(scene.pid(role), signal.SIGKILL)

    return happens


def stopped(role: str) -> Break:
    """All processes of a role stand still for a while."""

    async def happens(scene: Scene) -> None:
        await _stopped(scene.up.role(role), scene.seconds / 2)

    return happens


def stands_still(surface: str) -> Break:
    """Somebody asks for a surface that never comes back; it does not in the next worker either."""

    async def happens(scene: Scene) -> None:
        mark, before = scene.home / MARK, set(scene.workers())
        mark.touch()
        try:
            async with httpx.AsyncClient(base_url=scene.up.url, trust_env=False) as client:
                with suppress(httpx.HTTPError):
                    await client.get(f"/v1/recommendations/{surface}", timeout=120.0)
            while before <= set(scene.workers()) or scene.listening() < len(before):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        finally:
            mark.unlink()

    return happens


async def kill_worker(scene: Scene) -> None:
    """One of two workers is killed."""
    os.kill(scene.workers()[0], signal.SIGKILL)


async def stop_worker(scene: Scene) -> None:
    """One of two workers stands still for a while."""
    await _stopped(scene.workers()[:1], scene.seconds / 2)


async def stop_supervisor(scene: Scene) -> None:
    """The supervisor stands still, and a role dies meanwhile."""
    stream = scene.pid("stream")
    os.kill(scene.up.process.pid, signal.SIGSTOP)
    os.kill(stream, signal.SIGKILL)
    await asyncio.sleep(scene.seconds / 2)
    os.kill(scene.up.process.pid, signal.SIGCONT)


async def kill_server(scene: Scene) -> None:
    """Nobody is left who could answer, until the supervisor has started the server again."""
    for each in tree(scene.pid("serve")):
        os.kill(each, signal.SIGKILL)


async def full_disk(scene: Scene) -> None:
    """No room on the site's disk, and a worker that dies has to start there."""
    if scene.own_disk:
        ballast = fill(scene.home)
        await _with_a_death(scene)
        ballast.unlink()
    else:
        await _disturbed(scene, error=FULL)


async def read_only_disk(scene: Scene) -> None:
    """The site's disk takes no writes any more, as after an error of its own."""
    await _disturbed(scene, error=READ_ONLY)


async def slow_disk(scene: Scene) -> None:
    """Each write and each sync takes 50 ms longer."""
    await _disturbed(scene, delay=SLOW)


def clock(seconds: int) -> Break:
    """The wall clock is wrong for a while."""

    async def happens(scene: Scene) -> None:
        scene.disturbed.clock(seconds)
        try:
            await asyncio.sleep(scene.seconds / 2)
        finally:
            scene.disturbed.clock(0)

    return happens


def of_file(damage: Callable[[Path], Mend]) -> Break:
    """Damage files for a while; what makes them good again is what `damage` returns."""

    async def broken(scene: Scene) -> None:
        mend = damage(scene.home)
        await asyncio.sleep(scene.seconds / 2)
        mend()

    return broken


def at_a_start(damage: Callable[[Path], Mend], *roles: str) -> Break:
    """Damage files, and let a worker and these roles start on them."""

    async def broken(scene: Scene) -> None:
        mend = damage(scene.home)
        for role in roles:
            os.kill(scene.pid(role), signal.SIGKILL)
        await _with_a_death(scene)
        mend()

    return broken


async def _disturbed(scene: Scene, error: int = 0, delay: float = 0.0) -> None:
    scene.disturbed.disk(error, delay)
    try:
        await _with_a_death(scene)
    finally:
        scene.disturbed.disk()


async def _with_a_death(scene: Scene) -> None:
    await asyncio.sleep(scene.seconds / 4)
    os.kill(scene.workers()[0], signal.SIGKILL)
    await asyncio.sleep(scene.seconds / 2)


async def _stopped(pids: list[int], seconds: float) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(seconds)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def _tracker(pid: int) -> bool:
    return b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()

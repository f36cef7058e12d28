"""`palate serve` replaces its workers under load: nobody is cut off, a broken one is not taken."""

import asyncio
import os
import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import sleep
from typing import Self

import httpx
import pytest
from load.client import Told, open_loop, wires
from load.server import Server, serving
from tests.e2e.test_up import wait_until

from palate.serving.processes.agreed import mark

RATE, ROUND = 40.0, 2.0


class Load:
    """Requests at a fixed rate on many connections, until it is stopped."""

    def __init__(self, port: int) -> None:
        self.parts: list[Told] = []
        self._port, self._stop = port, threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(lambda: self.parts)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    async def _run(self) -> None:
        async with wires("127.0.0.1", self._port, 32) as held:
            while not self._stop.is_set():
                self.parts.append(
                    await open_loop(held, ["/v1/recommendations/home"], RATE, ROUND, 1)
                )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("site")
    (home / "palate.toml").write_text("[serving]\ndrain_seconds = 1.0\n", "utf-8")
    return home


@pytest.fixture(scope="module")
def started(home: Path) -> Iterator[Server]:
    with serving(home, os.sched_getaffinity(0), workers=2) as running:
        yield running


@pytest.fixture
def server(started: Server) -> Server:
    """One for all tests, each of which leaves it with two workers; the last one ends it."""
    wait_until(lambda: len(alive(started)) == 2 and all(map(warm, alive(started))))
    return started


def warm(worker: int) -> bool:
    """Whether this one serves: the first that does is enough for the site to be ready."""
    places = (Path("/dev/shm"), Path(tempfile.gettempdir()))  # noqa: S108  where the server looks
    return any(any(place.glob(f"palate-metrics-*/{mark(Path(), worker)}")) for place in places)


def test_no_request_fails_while_every_worker_is_replaced(server: Server) -> None:
    before = set(server.workers)
    assert len(before) == 2
    with Load(server.port) as load:
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not before & set(server.workers))
    assert len(server.workers) == 2
    assert sum((part.broken for part in load.parts), Counter()) == {}
    assert {status for part in load.parts for status in part.statuses} == {200}


def test_a_worker_stays_where_the_next_one_cannot_start(server: Server, home: Path) -> None:
    before, file, log = set(server.workers), home / "palate.toml", home / "server.log"
    good = file.read_text("utf-8")
    file.write_text("[serving]\nno_such_thing = 1\n", "utf-8")
    with Load(server.port) as load:
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: log.read_text("utf-8").count("is not replaced") == 2)
    file.write_text(good, "utf-8")
    assert set(server.workers) == before
    assert sum(part.failures for part in load.parts) == 0


def alive(server: Server) -> set[int]:
    try:
        return set(server.workers)
    except OSError:  # one ended while it was looked at
        return set()


def test_a_worker_that_dies_again_and_again_takes_nobody_with_it(server: Server) -> None:
    first, other = server.workers
    for dies in ("first", "second", "third"):
        os.kill(first, signal.SIGKILL)
        wait_until(lambda gone=first: gone not in alive(server) and len(alive(server)) == 2)
        assert other in alive(server), dies
        [first] = alive(server) - {other}
    assert server.process.poll() is None


def test_one_that_dies_while_another_is_replaced_is_started_anew(server: Server) -> None:
    before = alive(server)
    for dies in before:  # whichever comes first, one of them is not the one being replaced
        server.process.send_signal(signal.SIGHUP)
        sleep(0.5)
        if dies in alive(server):
            os.kill(dies, signal.SIGKILL)
        sleep(1.0)
        wait_until(lambda gone=dies: gone not in alive(server) and answered(server) == TRIED)
    wait_until(lambda: not before & alive(server) and len(alive(server)) == 2)
    wait_until(lambda: all(map(warm, alive(server))))
    assert answered(server) == TRIED
    assert server.process.poll() is None
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20) == 0


TRIED = 12


def answered(server: Server) -> int:
    """Of so many new connections."""
    good = 0
    for _ in range(TRIED):
        with suppress(httpx.HTTPError):
            url = f"http://127.0.0.1:{server.port}/livez"
            good += httpx.get(url, timeout=2.0, trust_env=False).is_success
    return good

"""A whole site in real processes: events in, a changed slate out, nothing lost when killed."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from palate.events.sqlite import SqliteLog

PATIENCE = 60.0
GENRES = ("crime", "space", "love")
QUIET = {"PALATE_TRAINING__MIN_EVENTS": "1000000"}
"""The trainer runs and waits: training has tests of its own."""


def palate(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "palate.cli", *arguments)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_until(done: Callable[[], Any]) -> Any:
    """Other processes do not tell us when they are done: look until they are."""
    until = time.monotonic() + PATIENCE
    while not (found := done()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
    return found


def children(pid: int) -> dict[int, str]:
    """Processes below `pid`, with their command lines."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text("utf-8").rpartition(")")[2].split()
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found |= {int(entry.name): line} | children(int(entry.name))
    return found


class Up:
    """`palate up` on a small site."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_port()
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE)
        self._said = (home / "up.out").open("wb")
        self.process = subprocess.Popen(
            palate("up", "--site", str(home), "--port", str(self.port)),
            stdout=self._said,
            stderr=subprocess.STDOUT,
            env=os.environ | QUIET | {"COLUMNS": "200"},
        )

    def said(self) -> str:
        return (self.home / "up.out").read_text("utf-8")

    def answers(self) -> bool:
        assert self.process.poll() is None, self.said()
        try:
            return self.client.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def role(self, name: str) -> list[int]:
        """Process ids of a role, the one that was started first."""
        below = children(self.process.pid)
        return sorted(pid for pid, line in below.items() if f"palate.cli {name} " in line)

    def slate(self, **query: Any) -> list[dict[str, Any]]:
        answer = self.client.get("/v1/recommendations/home", params=query)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    def close(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._said.close()


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    (tmp_path / "palate.toml").write_text("[serving]\nworkers = 2\n", "utf-8")
    running = Up(tmp_path)
    try:
        wait_until(running.answers)
        items = [
            {"item_id": f"{genre}-{n}", "title": f"{genre.title()} {n}", "categories": [genre]}
            for genre in GENRES
            for n in range(12)
        ]
        assert running.client.post("/v1/items", json={"items": items}).is_success
        wait_until(lambda: len(running.slate(limit=8)) == 8)
        yield running
    finally:
        running.close()


class Sender:
    """A client that sends events one by one and repeats each until it is acknowledged."""

    def __init__(self, url: str) -> None:
        self.acknowledged: list[str] = []
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def wait_for_more(self, count: int) -> None:
        enough = len(self.acknowledged) + count
        wait_until(lambda: len(self.acknowledged) >= enough)

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=10) as client:
            number = 0
            while not self._stop.is_set():
                genre = GENRES[number % len(GENRES)]
                event = {
                    "event_id": f"e{number}",
                    "kind": ("click", "view", "like")[number % 7 % 3],
                    "user_id": f"u{number % 20}",
                    "item_id": f"{genre}-{number % 12}",
                }
                if self._sent(client, event):
                    self.acknowledged.append(event["event_id"])
                    number += 1

    def _sent(self, client: httpx.Client, event: dict[str, str]) -> bool:
        try:
            return client.post("/v1/events", json={"events": [event]}).status_code == 202
        except httpx.TransportError:
            self._stop.wait(0.02)
            return False


def test_events_change_the_slate_and_ctrl_c_ends_everything(up: Up) -> None:
    click = {"kind": "click", "session_id": "s1", "item_id": "space-3"}
    assert up.client.post("/v1/events", json={"events": [click]}).status_code == 202
    wait_until(lambda: "to Space 3" in str(up.slate(session_id="s1", limit=8)))
    assert f"is up: http://127.0.0.1:{up.port}" in up.said()
    check_that_workers_speak_for_each_other(up)
    check_that_a_rule_is_obeyed_by_every_worker_without_a_restart(up)
    check_that_a_second_one_is_refused(up)
    wait_until(lambda: all(up.role(n) for n in ("serve", "stream", "attribute", "train")))
    below = children(up.process.pid)
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(PATIENCE) == 0
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below))


def check_that_workers_speak_for_each_other(up: Up) -> None:
    """Two workers, one port: whichever is asked knows every trace and counts for all."""
    answer = up.client.get("/v1/recommendations/trending", params={"limit": 5}).json()
    for _ in range(6):
        with httpx.Client(base_url=up.client.base_url, timeout=PATIENCE) as another:
            trace = another.get(f"/v1/traces/{answer['recommendation_id']}")
            assert trace.status_code == 200
            counted = 'palate_request_duration_seconds_count{step="full",surface="trending"} 1.0'
            assert counted in another.get("/metrics").text


def check_that_a_second_one_is_refused(up: Up) -> None:
    again = subprocess.run(
        palate("up", "--site", str(up.home), "--port", str(up.port)),
        check=False,
        capture_output=True,
    )
    assert again.returncode == 2
    assert again.stderr.decode().strip().count("\n") == 0
    assert f"{up.home} is run by another process already" in again.stderr.decode()


def test_no_acknowledged_event_is_lost_whatever_is_killed(up: Up) -> None:
    with Sender(str(up.client.base_url)) as sender:
        sender.wait_for_more(20)
        for name, which in (("stream", 0), ("serve", 0), ("train", 0), ("serve", -1)):
            victim = up.role(name)[which]
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda name=name, gone=victim: set(up.role(name)) - {gone})
            sender.wait_for_more(20)
    up.process.kill()
    up.process.wait()
    log = SqliteLog(up.home / "events.db")
    stored = [each.event.event_id for each in log.read(0, 1_000_000)]
    log.close()
    assert set(sender.acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))
    for command in (("stream", "--once"), ("rebuild", "--check")):
        done = subprocess.run(
            palate(*command, "--site", str(up.home)), check=False, capture_output=True
        )
        assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()


def check_that_a_rule_is_obeyed_by_every_worker_without_a_restart(up: Up) -> None:
    workers = children(up.process.pid)

    def first() -> set[str]:
        """What several connections are shown first: the workers share the port."""
        found = set()
        for _ in range(12):
            answer = httpx.get(
                f"{up.client.base_url}/v1/recommendations/home?session_id=s&limit=3",
                timeout=PATIENCE,
            )
            found.add(answer.json()["items"][0]["item_id"])
        return found

    for pinned in ("love-7", "crime-3"):
        rule = {"kind": "pin", "items": [pinned], "slots": [1]}
        assert up.client.put("/v1/rules/first", json=rule).is_success
        wait_until(lambda: first() == {pinned})  # noqa: B023  asked at once
    assert up.client.delete("/v1/rules/first").is_success
    wait_until(lambda: "crime-3" not in first())
    assert set(workers) <= set(children(up.process.pid)), "nobody was restarted"

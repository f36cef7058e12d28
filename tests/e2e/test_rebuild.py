"""A state that went wrong is rebuilt under a running site that takes events in and answers."""

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from time import sleep, time

import httpx
import numpy as np
from living.sender import Sender
from living.site import build, rows_of
from living.up import free_port, palate, up

from palate.events.sqlite import SqliteLog
from palate.features.online.protocol import StateChange
from palate.settings import Settings
from palate.stores import open_online
from palate.streaming.lock import Turn

ITEMS, OK = 120, 200
PALATE = (sys.executable, "-m", "palate.cli")


def spoil(home: Path) -> None:
    """Make records wrong, as no fold would, in the stream worker's own turn."""
    settings = Settings(home=home)
    online = open_online(settings, write=True)
    with Turn(settings).taken():
        rows = sorted(row for row, _ in online.scan("covisit"))
        users = sorted(key for key, _ in online.scan("users"))
        online.commit(
            StateChange(online.position(), users={users[0]: None}, covisit={rows[0]: None})
        )
    online.close()


def killed(home: Path, after: float, number: int) -> bool:
    """Begin a rebuild and end it; True where it was in the middle."""
    rebuild = subprocess.Popen(
        [*PALATE, "rebuild", "--site", str(home)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    sleep(after)
    rebuild.send_signal(number)
    rebuild.communicate(timeout=300)
    return rebuild.returncode != 0


def looking(url: str, stop: threading.Event, wrong: list[str]) -> int:
    """Ask for slates until told to stop; whatever is not a full page is wrong."""
    asked = 0
    with httpx.Client(base_url=url, timeout=10.0, trust_env=False) as client:
        while not stop.is_set():
            answer = client.get("/v1/recommendations/home?user_id=u777&limit=10")
            if answer.status_code != OK or not answer.json()["items"]:
                wrong.append(answer.text)
            asked += 1
            sleep(0.02)
    return asked


def test_a_rebuild_under_a_running_site_loses_and_doubles_nothing(tmp_path: Path) -> None:
    home, port = tmp_path / "site", free_port()
    build(home, ITEMS, 1_000, time())
    wrong: list[str] = []
    stop, dice = threading.Event(), np.random.default_rng(4)
    with up(home, 1, port) as site:
        site.wait(folded=False)
        asker = threading.Thread(target=looking, args=(site.url, stop, wrong))
        asker.start()
        with Sender(site.url, "one", ITEMS) as one, Sender(site.url, "two", ITEMS) as two:
            sleep(1.0)
            spoil(home)
            ends = (signal.SIGKILL, signal.SIGINT, signal.SIGKILL)
            ended = [killed(home, float(dice.uniform(0.3, 1.5)), number) for number in ends]
            spoil(home)  # where one of them was done before its end came
            done = palate("rebuild", "--json", "--site", str(home))
            sleep(0.5)
        stop.set()
        asker.join()
        stream = site.role("stream")
        again = palate("rebuild", "--json", "--site", str(home))
        assert site.role("stream") == stream
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert any(ended)
    assert not told["equal"]
    assert told["written"]
    assert told["followed"], done.stderr
    assert json.loads(again.stdout)["equal"], again.stdout
    assert not wrong
    assert not one.wrong
    assert not two.wrong
    acknowledged = [*one.acknowledged, *two.acknowledged]
    stored = Counter(event.event_id for event in rows_of(SqliteLog(home / "events.db")))
    assert len(acknowledged) > 200
    assert {stored[name] for name in acknowledged} == {1}
    palate("stream", "--once", "--site", str(home))
    check = json.loads(palate("rebuild", "--check", "--json", "--site", str(home)).stdout)
    assert check["equal"], check
    assert check["position"] == SqliteLog(home / "events.db").end()

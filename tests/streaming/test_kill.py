"""`kill -9` of the stream worker at any moment: nothing is lost, nothing counts twice."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.streaming.sites import NOW, fill, settings_at, some_events

from palate.events.sqlite import SqliteLog
from palate.features.online.lmdb import LmdbStore

PATIENCE = 60.0
PALATE = (sys.executable, "-m", "palate.cli")


def palate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PALATE, *arguments], capture_output=True, text=True, check=False)


def test_a_killed_stream_worker_leads_to_the_same_state(tmp_path: Path) -> None:
    settings = settings_at(tmp_path, batch=5, poll_milliseconds=1, boards_seconds=0)
    fill(settings, some_events(300))
    log = SqliteLog(settings.path("events.db"))
    online = LmdbStore(settings.path("online"), write=False, gigabytes=16)
    for turn in range(2):
        worker = subprocess.Popen([*PALATE, "stream", "--site", str(tmp_path)])
        try:
            _moved_on(online, turn * 100 + 20)
            log.append(some_events(200, start=300 + 200 * turn), NOW)
            _moved_on(online, turn * 100 + 120)
        finally:
            worker.kill()
            assert worker.wait(PATIENCE) == -signal.SIGKILL
    assert palate("stream", "--site", str(tmp_path), "--once").returncode == 0
    told = palate("rebuild", "--site", str(tmp_path), "--check", "--json")
    assert told.returncode == 0, told.stderr
    facts = json.loads(told.stdout)
    assert facts["equal"]
    assert facts["position"] == log.end() == online.position()
    assert log.count() == 700


def test_a_stream_worker_ends_cleanly_when_asked_to(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    fill(settings, some_events(20))
    worker = subprocess.Popen(
        [*PALATE, "stream", "--site", str(tmp_path)], stderr=subprocess.PIPE, text=True
    )
    assert worker.stderr is not None
    assert "caught up at log position 20 (20 events folded)" in worker.stderr.readline()
    second = palate("stream", "--site", str(tmp_path))
    assert second.returncode == 2
    assert "another process is writing" in second.stderr
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(PATIENCE) == 0
    assert "stopped at log position 20" in worker.stderr.read()


def _moved_on(online: LmdbStore, position: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while online.position() < position:
        assert time.monotonic() < deadline, "the worker does not move"
        time.sleep(0.001)

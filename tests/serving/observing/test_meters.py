"""Metrics of several workers: the dead say nothing of the moment, and one thread counts."""

import os
import subprocess
import threading
from pathlib import Path

import pytest
from tests.serving.conftest import SmallSite

from palate.serving.environment import PROMETHEUS
from palate.serving.meters import Meters


def test_gauges_of_dead_workers_are_gone_when_one_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    names = [f"gauge_livesum_{gone.pid}", f"counter_{gone.pid}", f"gauge_livesum_{os.getpid()}"]
    for name in (*names, f"gauge_livemin_{gone.pid}"):
        (tmp_path / f"{name}.db").touch()
    monkeypatch.setenv(PROMETHEUS, str(tmp_path))
    Meters()
    assert {path.stem for path in tmp_path.iterdir()} == set(names[1:])


def test_what_waits_is_counted_on_the_event_loop(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.slate(user_id="u1")
    seen, flush = [], Meters.flush

    def noted(meters: Meters) -> None:
        seen.append(threading.get_ident())
        flush(meters)

    monkeypatch.setattr(Meters, "flush", noted)
    told = site.client.get("/metrics").text
    with site.client.portal() as portal:
        loops = portal.call(threading.get_ident)
    assert 'palate_stage_duration_seconds_count{stage="rank"} ' in told
    assert set(seen) == {loops}

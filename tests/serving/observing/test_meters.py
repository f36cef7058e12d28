"""Metrics of several workers: the dead say nothing of the moment, and counting holds up nobody."""

import os
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
from tests.serving.conftest import SmallSite

from palate.errors import CorruptStore
from palate.funnel.types import NOTHING, Answer, Slate, StageTrace, Trace
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


def test_what_waits_is_counted_off_the_event_loop(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.slate(user_id="u1")
    seen, flush = [], Meters.flush

    def noted(meters: Meters) -> None:
        seen.append(threading.get_ident())
        flush(meters)

    monkeypatch.setattr(Meters, "flush", noted)
    told = site.client.get("/metrics").text
    site.tick()
    with site.client.portal() as portal:
        loop = portal.call(threading.get_ident)
    assert 'palate_stage_duration_seconds_count{stage="rank"} ' in told
    assert len(seen) >= 2
    assert loop not in seen


def test_each_answer_is_counted_once_whoever_counts() -> None:
    meters, over, times = Meters(), threading.Event(), 3_000
    trace = Trace(stages=[StageTrace("rank", 5, 5, 0.1)])
    answer = Answer(Slate(NOTHING, np.empty(0, np.float32)), (), "full", trace)

    def count() -> None:
        while not over.is_set():
            meters.flush()

    threads = [threading.Thread(target=count) for _ in range(3)]
    for each in threads:
        each.start()
    for _ in range(times):
        meters.answered("home", answer, 0.001)
    over.set()
    for each in threads:
        each.join()
    told = meters.render().decode()
    assert f'palate_stage_duration_seconds_count{{stage="rank"}} {times}.0' in told
    assert f'palate_stage_duration_seconds_bucket{{le="+Inf",stage="rank"}} {times}.0' in told


def test_a_store_that_fails_freezes_no_metrics_and_is_spoken_of_once_a_minute(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise CorruptStore("the catalogue is gone")

    monkeypatch.setattr(type(site.stores.columns), "follow", fails)
    site.app.state["runtime"].meters.refused(7)
    site.app.state["runtime"].pacer.gate.flying = 3
    for _ in range(3):
        site.tick()
    told = site.client.get("/metrics").text
    assert "palate_in_flight 3.0" in told
    assert "palate_events_refused 0.0" in told
    said = [each for each in caplog.records if "the catalogue is gone" in each.getMessage()]
    assert [each.levelname for each in said] == ["WARNING"]

"""Metrics of several workers: the dead say nothing of the moment, and counting holds up nobody."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.mmap_dict import MmapedDict
from tests.serving.conftest import SmallSite

from palate.errors import CorruptStore
from palate.funnel.types import NOTHING, Answer, Slate, StageTrace, Trace
from palate.serving.environment import PROMETHEUS
from palate.serving.meters import Meters
from palate.serving.observing.departed import GONE, undisturbed


def test_gauges_of_dead_workers_are_gone_when_one_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    names = [f"gauge_livesum_{gone.pid}", f"counter_{gone.pid}", f"gauge_livesum_{os.getpid()}"]
    for name in (*names, f"gauge_livemin_{gone.pid}"):
        MmapedDict(str(tmp_path / f"{name}.db")).close()
    monkeypatch.setenv(PROMETHEUS, str(tmp_path))
    Meters()
    held = {f"gauge_livesum_{os.getpid()}", f"counter_{GONE}"}
    assert {path.stem for path in tmp_path.glob("*.db")} == held


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


COUNTS = """
import os, sys
from palate.serving.meters import Meters
meters = Meters()
meters.events(["click"] * int(sys.argv[1]))
meters.problem(404)
meters.page("home", 0.01)
if len(sys.argv) > 2:
    os.abort()
"""


def test_what_the_dead_counted_is_kept_in_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for times in (("3",), ("4", "by force"), ("5",)):
        subprocess.run(
            (sys.executable, "-c", COUNTS, *times),
            check=False,
            env={PROMETHEUS: str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        )
    (tmp_path / "counter_1999999999.db").write_bytes(b"\xff" * 64)  # one that was just begun
    monkeypatch.setenv(PROMETHEUS, str(tmp_path))
    for _ in range(2):  # what was added up is not added again
        told = Meters().render().decode()
        assert 'palate_events_total{kind="click"} 12.0' in told
        assert 'palate_problems_total{status="404"} 3.0' in told
        assert 'palate_page_duration_seconds_bucket{le="0.015",surface="home"} 3.0' in told
        assert 'palate_page_duration_seconds_count{surface="home"} 3.0' in told
    own = [path for path in tmp_path.glob("*.db") if str(os.getpid()) in path.name]
    gone = {path.stem for path in tmp_path.glob("*.db") if path not in own}
    assert gone == {f"counter_{GONE}", f"histogram_{GONE}"}


def test_files_are_added_up_while_nobody_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROMETHEUS, str(tmp_path))
    meters, over = Meters(), threading.Event()
    with undisturbed(tmp_path):
        reading = threading.Thread(target=lambda: (meters.render(), over.set()))
        reading.start()
        assert not over.wait(0.3)
    assert over.wait(30.0)
    reading.join()


def test_a_lag_that_nobody_knows_is_said_to_be_unknown(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.tick()
    assert "palate_event_lag_unknown 0.0" in site.client.get("/metrics").text
    with monkeypatch.context() as broken:

        def fails(*_: object) -> None:
            raise CorruptStore("the log is gone")

        broken.setattr(type(site.stores.log), "read", fails)
        site.tick()
        assert "palate_event_lag_unknown 1.0" in site.client.get("/metrics").text
    site.tick()
    told = site.client.get("/metrics").text
    assert "palate_event_lag_unknown 0.0" in told
    assert 0.0 < float(re.findall(r"^palate_online_used_ratio (.*)", told, re.MULTILINE)[0]) < 0.01
    assert 'palate_queue_bound{queue="impressions"} 10000.0' in told

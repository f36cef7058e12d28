"""The soak bench finds a process that grows, and lets one be that does not."""

import argparse
import os
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from pathlib import Path

import numpy as np
import soak
from load.server import serving
from load.site import build

from palate.clock import SystemClock
from palate.settings import Settings

MINUTES = np.arange(60) * 60.0


def test_a_slope_is_told_with_its_interval() -> None:
    noise = np.random.default_rng(1).normal(0.0, 2.0, 60)
    still, growing = 200.0 + noise, 200.0 + noise + MINUTES / 3600.0 * 90.0
    flat, rising = soak.slope(MINUTES, still), soak.slope(MINUTES, growing)
    assert flat.low < 0.0 < flat.high
    assert rising.low < 90.0 < rising.high
    assert rising.low > soak.GROWTH


def facts(own: float, low: float) -> dict[str, object]:
    return {"most_own": own, "own_per_hour": {"per_hour": low + 5.0, "low": low, "high": low + 9}}


def test_who_is_too_large_or_grows_is_named() -> None:
    fine = {"worker 1": facts(250.0, -3.0), "stream": facts(900.0, 1.0)}
    assert soak.wrong(fine) == []
    assert soak.wrong(fine | {"worker 2": facts(301.0, 0.0)}) == [
        "worker 2 holds 301 MB of its own"
    ]
    assert soak.wrong(fine | {"stream": facts(90.0, 21.0)}) == ["stream grows by 26 MB an hour"]


def test_what_a_process_takes_is_its_own() -> None:
    before = soak.sample(os.getpid(), 0.0)
    taken = mmap(-1, 32 << 20, MAP_PRIVATE | MAP_ANONYMOUS)  # an array may be given what was freed
    taken.write(bytes(32 << 20))
    after = soak.sample(os.getpid(), 1.0)
    assert after.own - before.own > 25.0
    assert after.own <= after.shared <= after.resident
    taken.close()


def test_a_short_soak_of_a_real_site(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    build(settings, (300, 300), 50, SystemClock().now())
    wanted = argparse.Namespace(minutes=0.1, rate=10.0, items=300, users=50, workers=1)
    with serving(tmp_path, os.sched_getaffinity(0), 1) as server:
        told = soak.soaked(tmp_path, server, wanted, every=0.5)
    assert set(told["processes"]) == {"worker 1", "stream"}
    assert told["answered"] > 0
    assert told["failed"] == 0
    assert told["processes"]["worker 1"]["samples"] >= 4
    assert "worker 1" in soak.table(soak.ran("soak", []) | told)

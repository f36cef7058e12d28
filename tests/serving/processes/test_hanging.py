"""A part that never comes back (it never awaits) costs a try, not a worker nor the site."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from load.server import serving
from numba.core.compiler_lock import global_compiler_lock
from tests.e2e.test_up import wait_until
from tests.serving.conftest import SmallSite

from palate.funnel.types import Candidates, Query, Reason
from palate.serving.processes import warming
from palate.serving.processes.hanging import Hanging, in_time
from palate.serving.processes.warming import warm

SURFACE = '''
import time
from dataclasses import dataclass
from palate.funnel.engine import Funnel
from palate.ranking.fusion import Fusion

@dataclass(frozen=True)
class Stops:
    async def generate(self, query, limit):
        time.sleep(3600)

def stops(stores):
    """A funnel whose only generator hangs."""
    return Funnel(
        stores=stores, generators=(Stops(),), filters=(), ranker=Fusion.default(stores), rules=()
    )
'''


@dataclass(frozen=True)
class Stops:
    """Holds its thread until it is let go."""

    go: threading.Event

    async def generate(self, query: Query, limit: int) -> Candidates:
        self.go.wait(60.0)
        return Candidates.none()

    def explain(self, query: Query, row: int) -> Reason:
        raise RuntimeError("never asked")


def test_warming_up_leaves_it_behind_and_the_next_does_not_try_it(
    site_of: Callable[..., SmallSite], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, go = site_of(), threading.Event()
    monkeypatch.setattr(warming, "SECONDS", 0.2)
    monkeypatch.setattr(warming, "BEYOND", 0.3)
    live = site.app.state["runtime"].live
    home = live.funnels["home"]
    funnels = {"stops": replace(home, generators=(Stops(go),))}
    hanging = Hanging(tmp_path)
    assert warm(live.stores, funnels, site.clock, [], bool, hanging)
    assert "stops" in hanging
    began = time.perf_counter()
    again = Hanging(tmp_path)
    warm(live.stores, funnels, site.clock, [], bool, again)
    assert "stops" in again
    assert time.perf_counter() - began < 0.3
    go.set()
    wait_until(lambda: "stops" not in hanging)
    assert "stops" not in Hanging(tmp_path)


def test_who_ends_a_worker_is_told_what_it_was_trying(tmp_path: Path) -> None:
    hanging = Hanging(tmp_path)
    hanging.blame()
    with hanging.trying("mine"):
        hanging.blame()
    assert "mine" in Hanging(tmp_path)
    assert "mine" not in Hanging()


def test_what_takes_no_time_is_returned_and_raised() -> None:
    assert in_time(lambda: 3, 1.0) == 3
    with pytest.raises(ZeroDivisionError):
        in_time(lambda: 1 // 0, 1.0)


def test_the_time_in_which_something_is_compiled_does_not_count() -> None:
    released, late = threading.Event(), threading.Event()

    def compiles() -> int:
        with global_compiler_lock:
            time.sleep(1.5)
        return 5

    assert in_time(compiles, 0.5) == 5
    with pytest.raises(TimeoutError):
        in_time(lambda: released.wait(30.0), 0.3, late.set)
    assert not late.is_set()
    released.set()
    assert late.wait(10.0)


def test_a_site_starts_though_a_surface_hangs(tmp_path: Path) -> None:
    """Both workers hang in it, are ended, and the next ones answer all else."""
    (tmp_path / "palate.toml").write_text("[serving]\nstuck_seconds = 2.0\n", "utf-8")
    folder = tmp_path / "surfaces"
    folder.mkdir()
    (folder / "stops.py").write_text(SURFACE, "utf-8")
    with serving(tmp_path, os.sched_getaffinity(0), workers=2) as server:
        url = f"http://127.0.0.1:{server.port}"
        for _ in range(2):
            with pytest.raises(httpx.HTTPError):  # it takes its worker with it
                httpx.get(f"{url}/v1/recommendations/stops", timeout=30.0, trust_env=False)
        log, told = tmp_path / "server.log", "a worker before this one hung in it: stops"
        wait_until(lambda: told in log.read_text("utf-8"))  # whichever of them ended first
        wait_until(lambda: _answers(url))
    assert "stops does not come back" in log.read_text("utf-8")


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez", timeout=5.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False

"""What is loaded beside requests is loaded gently, and nobody pays for first calls."""

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.serving.conftest import SmallSite

from palate.errors import CorruptRelease
from palate.funnel.engine import Funnel
from palate.serving.processes import warming
from palate.serving.processes.hanging import Hanging
from palate.serving.processes.warming import Asked, gently, give_way, in_turn, touch, warm


def test_the_first_requests_compile_and_load_nothing(tmp_path: Path) -> None:
    program = Path(__file__).with_name("first_requests.py")
    done = subprocess.run(
        (sys.executable, program, str(tmp_path)), check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, list[str]] = msgspec.json.decode(done.stdout)
    assert len(told) == 5
    assert {path: new for path, new in told.items() if new} == {}


def warmed(
    site: SmallSite, asked: list[Asked], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, list[tuple[str, int]]]:
    """How many were known, and who was asked for (surface, key)."""
    ran: list[tuple[str, int]] = []
    answer = Funnel.answer

    async def told(self: Funnel, query: Any, *more: Any) -> Any:
        ran.append((query.surface, query.user.key))
        return await answer(self, query, *more)

    monkeypatch.setattr(Funnel, "answer", told)
    live = site.app.state["runtime"].live
    known = warm(live.stores, live.funnels, site.clock, asked, bool, Hanging())
    return known, ran


def test_what_was_asked_of_late_is_asked_again(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.slate("trending", user_id="u1")
    site.slate("home", session_id="never-heard-of")
    site.slate("home", user_id="u2")
    site.settle()
    asked = site.app.state["runtime"].store.asked(10)
    assert asked == [
        Asked("home", "user:u2"),
        Asked("home", "session:never-heard-of"),
        Asked("trending", "user:u1"),
    ]
    known, ran = warmed(site, [*asked, Asked("gone", "user:u1")], monkeypatch)
    assert known == 3
    surfaces = set(site.app.state["runtime"].live.funnels)
    assert {surface for surface, key in ran if not key} == surfaces
    assert [surface for surface, key in ran if key] == ["home", "trending"]


def test_where_nothing_was_asked_some_users_are_run(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, ran = warmed(site, [], monkeypatch)
    surfaces = len(site.app.state["runtime"].live.funnels)
    assert known == 3 * surfaces
    assert len(ran) == 4 * surfaces


def test_who_did_something_last_is_asked_for_where_no_request_is_known(site: SmallSite) -> None:
    [newest, *_] = reversed([e for e in site.logged() if e.user_id])
    assert site.app.state["runtime"].watch.asked()[0] == Asked("home", f"user:{newest.user_id}")


def test_a_rehearsal_leaves_no_trace(site: SmallSite) -> None:
    site.settle()
    assert site.app.state["runtime"].store.asked(10) == []
    assert not [each for each in site.logged() if each.recommendation_id]
    assert "palate_request_duration_seconds_count" not in site.client.get("/metrics").text


def test_gentle_work_has_a_low_priority_and_its_errors_are_raised() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    seen: list[int] = []
    gently(lambda: seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))
    assert seen == [warming.NICE]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before

    def refuse() -> None:
        raise CorruptRelease("it was altered")

    with pytest.raises(CorruptRelease, match="it was altered"):
        gently(refuse)


def test_requests_go_first_but_not_for_ever() -> None:
    looks: list[int] = []

    def busy() -> bool:
        looks.append(1)
        return len(looks) < 5

    give_way(busy)
    assert len(looks) == 5
    give_way(lambda: True)


def test_one_loads_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def free() -> bool:
        handle = os.open(tmp_path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(handle)
        return True

    with in_turn(tmp_path):
        assert not free()
        monkeypatch.setattr(warming, "TURN", 0.05)
        with in_turn(tmp_path):  # who waited too long goes ahead
            assert not free()
    assert free()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_mapped_pages_are_touched_within_a_bound(tmp_path: Path) -> None:
    shared, other = tmp_path / "a" / "table.npy", tmp_path / "b" / "table.npy"
    size = 32 << 20
    held = []
    for file in (shared, other):
        file.parent.mkdir()
        np.lib.format.open_memmap(file, "w+", np.uint8, (size,)).flush()
        held.append(np.load(file, mmap_mode="r"))
    assert resident(shared) < size // 2
    assert touch([other.parent], 8 << 20) == 8 << 20
    assert size <= touch([shared.parent], 1 << 40) < size + (1 << 20)
    assert resident(shared) >= size
    assert resident(other) < size // 2


def resident(file: Path) -> int:
    """Bytes of a file that are in this process' page tables."""
    within, found = False, 0
    for line in Path("/proc/self/smaps").read_text("utf-8").splitlines():
        if "-" in line.partition(" ")[0]:
            within = line.endswith(str(file))
        elif within and line.startswith("Rss:"):
            found += int(line.split()[1]) * 1024
    return found

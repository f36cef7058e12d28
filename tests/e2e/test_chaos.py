"""The short form of `bench/chaos.py`: things break, and every visitor gets a lawful page."""

import json
from typing import Any

import chaos
import pytest

FAULTS = {
    "generator or ranker: hangs",
    "generator or ranker: million",
    "generator or ranker: ranks_nan",
    "poisoned events",
    "a worker killed",
    "stream stopped (SIGSTOP)",
    "disk full, a worker killed",
    "disk read-only, a worker killed",
    "disk slow by 50 ms a write, a worker killed",
    "clock a day ahead",
    "clock a day behind",
    "catalogue (SQLite) damaged",
    "a wreck promoted",
    "event log damaged, a worker killed",
    "state (LMDB) damaged while it runs",
}
WAITS = {"disk full, a worker killed", "disk read-only, a worker killed"}


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, Any]]:
    return chaos.run(items=400, rate=10.0, seconds=1.0, only=FAULTS, mounts=False)


def test_whatever_breaks_every_page_comes_and_is_lawful(found: dict[str, dict[str, Any]]) -> None:
    assert set(found) == FAULTS
    for name, told in found.items():
        assert told["asked"] >= 10, name
        assert told["good"] == told["asked"], f"{name}: {json.dumps(told)}"  # shown whole
    assert set(found["generator or ranker: ranks_nan"]["steps"]) == {"retrieval"}


def test_no_acknowledged_event_is_lost_and_no_client_is_told_nonsense(
    found: dict[str, dict[str, Any]],
) -> None:
    for name, told in found.items():
        events = told["events"]
        assert not events["lost"], (name, events)
        assert not events["wrong"], (name, events)
        assert events["acknowledged"] or name in WAITS, (name, events)
    for name in WAITS:
        assert found[name]["events"]["refused"], name


def test_the_log_says_what_happened_and_what_was_done(found: dict[str, dict[str, Any]]) -> None:
    said = {
        "a wreck promoted": "release 20990101-000000-dead refused",
        "disk read-only, a worker killed": "logging of impressions failed",
        "state (LMDB) damaged while it runs": "the whole log is folded again",
    }
    for name, words in said.items():
        assert words in " ".join(found[name]["log"]), (name, found[name]["log"])
    for name, told in found.items():
        assert not any("Traceback" in line for line in told["log"]), (name, told["log"])

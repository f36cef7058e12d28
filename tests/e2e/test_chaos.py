"""The short form of `bench/chaos.py`: things break, and every visitor gets a lawful page."""

import asyncio

import chaos

FAULTS = {
    "generator or ranker: hangs",
    "generator or ranker: million",
    "generator or ranker: ranks_nan",
    "a worker killed",
    "stream stopped (SIGSTOP)",
    "catalogue (SQLite) damaged",
    "a wreck promoted",
}


def test_whatever_breaks_every_page_comes_and_is_lawful() -> None:
    found = asyncio.run(chaos.run(items=400, rate=10.0, seconds=1.0, only=FAULTS))
    assert set(found) == FAULTS
    for name, told in found.items():
        assert told["asked"] >= 10, name
        assert told["good"] == told["asked"], (name, told)
    assert set(found["generator or ranker: ranks_nan"]["steps"]) == {"retrieval"}
    refused = " ".join(found["a wreck promoted"]["log"])
    assert "release 20990101-000000-dead refused" in refused

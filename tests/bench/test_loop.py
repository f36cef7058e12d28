"""The exit code of bench/loop.py tells whether its targets were reached."""

from typing import Any

import loop
import pytest


def measured(**changes: Any) -> dict[str, Any]:
    """What a run that reached everything says."""
    quick = {"milliseconds": {"p99": 1.0, "most": 1.0}}
    names = ("quiet", "loaded", "new_item_quiet", "new_item_loaded")
    told = dict.fromkeys(names, quick)
    return {**told, "ingest": {"events_per_second": 1e9}, "restart_seconds": 1.0, **changes}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"restart_seconds": loop.TARGETS["restart"] + 0.1}, 1),
        ({"ingest": {"events_per_second": 1}}, 1),
    ],
)
def test_a_missed_target_is_told_by_the_exit_code(
    changes: dict[str, Any], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "run", lambda *_: measured(**changes))
    assert loop.main([]) == code

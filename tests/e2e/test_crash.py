"""A few kills of bench/crash.py; fifty are for an evening."""

import json
from pathlib import Path

from crash import run


def test_nothing_is_lost_or_doubled_whatever_is_killed(tmp_path: Path) -> None:
    told = run(tmp_path / "site", kills=4, seed=3, pause=0.8)
    assert told["kept"], json.dumps(told)  # a string is shown whole
    assert sum(told["killed"].values()) == 4
    assert told["acknowledged"] > 100
    assert told["rows"] > 10
    assert told["users_deleted"]
    assert told["items_deleted"]

"""The short form of `bench/longlife.py`: a user who did a hundred thousand things."""

from pathlib import Path

from longlife import lived


def test_a_long_life_is_folded_answered_and_forgotten(tmp_path: Path) -> None:
    told = lived(tmp_path / "site", 100_000)
    assert told["events_left_under_the_name"] == 0
    assert told["rebuilt_equal"]
    assert told["record_bytes"] < 32_768, "a record has bounds, whatever somebody did"
    assert told["others_waited_ms_longest"] < 20_000, "somebody's deletion is nobody else's wait"

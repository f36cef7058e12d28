import json
from pathlib import Path

import polars as pl
from tests.cli.running import palate, within

from palate.events.kinds import Event, Kind, Shown
from palate.events.sqlite import SqliteLog
from palate.settings import Settings
from palate.streaming.lock import only_attributor

START = 1_764_400_000.0


def shown_and_taken(home: Path) -> None:
    (home / "palate.toml").touch()
    log = SqliteLog(home / "events.db")
    items = (Shown(item_id="a", position=1), Shown(item_id="b", position=2))
    page = Event(event_id="p", kind=Kind.IMPRESSION, time=START, user_id="ann", items=items)
    act = Event(event_id="c", kind=Kind.CLICK, time=START + 9, user_id="ann", item_id="b")
    log.append([page, act], START + 10)
    log.close()


def test_it_is_done_once_however_often_it_runs(tmp_path: Path) -> None:
    shown_and_taken(tmp_path)
    for command, rows in ((palate, 2), (within, 0)):
        done = command("attribute", "--site", str(tmp_path), "--json")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert (told["position"], told["rows"], told["parts"]) == (2, rows, 1)
    [file] = (tmp_path / "offline/shown").glob("*/*.parquet")
    assert file.parent.name == "day=2025-11-29"
    table = pl.read_parquet(file, hive_partitioning=False)
    assert table["click_after"].to_list() == [None, 9.0]
    assert table["finished"].all(), "that was long ago"


def test_a_second_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "palate.toml").touch()
    with only_attributor(Settings(home=tmp_path)):
        done = palate("attribute", "--site", str(tmp_path))
    assert done.returncode == 2
    assert "another process is writing the offline store" in done.stderr
    assert done.stderr.strip().count("\n") == 0

import json
from dataclasses import replace
from pathlib import Path

from tests.streaming.sites import fill, settings_at, some_events, worker_at
from typer.testing import CliRunner

from palate.cli.rebuild import app
from palate.features.online.lmdb import LmdbStore
from palate.features.online.protocol import OnlineStore, StateChange
from palate.settings import Settings
from palate.stores import close, open_stores
from palate.streaming.lock import only_worker


def folded(home: Path, events: int = 80) -> OnlineStore:
    """A site whose log is folded and closed; returns its online store."""
    settings = settings_at(home)
    fill(settings, some_events(events))
    worker, stores = worker_at(settings)
    worker.drain()
    close(stores)
    return LmdbStore(home / "online", write=True, gigabytes=16)


def run(home: Path, *arguments: str) -> tuple[int, dict[str, object]]:
    result = CliRunner().invoke(app, ["--site", str(home), "--json", *arguments])
    return result.exit_code, json.loads(result.stdout)


def test_a_check_says_equal_and_changes_nothing(tmp_path: Path) -> None:
    online = folded(tmp_path)
    before = dict(online.scan("users"))
    code, facts = run(tmp_path, "--check")
    assert (code, facts["equal"], facts["written"], facts["position"]) == (0, True, False, 80)
    assert dict(online.scan("users")) == before


def test_a_check_of_an_altered_state_fails_and_a_rebuild_mends_it(tmp_path: Path) -> None:
    online = folded(tmp_path)
    before = {table: dict(online.scan(table)) for table in ("users", "items", "covisit")}
    key = next(iter(before["users"]))
    change = StateChange(online.position(), items={0: None}, covisit={0: None})
    online.commit(replace(change, users={key: b"altered"}))
    code, facts = run(tmp_path, "--check")
    assert (code, facts["equal"]) == (1, False)
    code, facts = run(tmp_path)
    assert (code, facts["equal"], facts["written"]) == (0, False, True)
    assert {table: dict(online.scan(table)) for table in before} == before
    assert run(tmp_path, "--check")[0] == 0


def test_a_rebuild_reaches_the_shared_columns_of_readers(tmp_path: Path) -> None:
    folded(tmp_path).replace(StateChange(0))
    reader = open_stores(settings_at(tmp_path))
    run(tmp_path)
    reader.states.refresh()
    reader.covisit.refresh()
    assert reader.states.position == reader.covisit.position == 80
    assert reader.states.counts.any()


def test_a_rebuild_beside_a_worker_of_other_settings_changes_nothing(tmp_path: Path) -> None:
    online = folded(tmp_path)
    before = dict(online.scan("covisit"))
    (tmp_path / "palate.toml").write_text("[covisit]\nwindow = 2\n")
    with only_worker(Settings(home=tmp_path)):
        result = CliRunner().invoke(app, ["--site", str(tmp_path)])
    assert result.exit_code != 0
    assert "start that again first" in str(result.exception)
    assert dict(online.scan("covisit")) == before

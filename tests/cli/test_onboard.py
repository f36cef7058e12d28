"""`palate onboard`: the question and the answer, by hand."""

import json
from pathlib import Path

from tests.cli.running import palate, within

from palate.events.kinds import Kind
from palate.settings import FILE
from palate.settings_files import load
from palate.stores import close, open_stores
from palate.testing.tiny import tiny_site


def test_a_newcomer_is_asked_and_what_they_pick_is_noted_once(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("")
    stores, worker = tiny_site(load(tmp_path, {}))
    worker.drain()
    close(stores)
    where = ("--site", str(tmp_path), "--user", "session:new", "--json")
    asked = palate("onboard", *where, "--limit", "6")
    assert asked.returncode == 0, asked.stderr
    names = [entry["item_id"] for entry in json.loads(asked.stdout)["items"]]
    assert len({name.partition("-")[0] for name in names}) >= 4
    for accepted in (2, 0):
        done = within("onboard", *where, "--pick", names[0], "--pick", names[1])
        assert json.loads(done.stdout)["accepted"] == accepted
    wrong = within("onboard", *where, "--pick", "nothing")
    assert (wrong.returncode, wrong.stderr) == (2, "palate: --pick: there is no item 'nothing'\n")
    stores = open_stores(load(tmp_path, {}))
    picks = [e.event for e in stores.log.read(0, 10_000) if e.event.kind is Kind.PICK]
    close(stores)
    assert [event.session_id for event in picks] == ["new", "new"]

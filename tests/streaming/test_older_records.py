"""What an older version wrote is made anew from the log."""

from pathlib import Path

import numpy as np
from tests.streaming.sites import fill, settings_at, some_events, worker_at

from palate.features.online.protocol import StateChange
from palate.stores import close

FOLDS, SEGMENTS = 29, 49
"""Of the form in which all of an item's numbers had 64 bits."""


def test_records_of_items_in_an_older_form_have_the_log_folded_again(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    fill(settings, some_events(60))
    worker, stores = worker_at(settings)
    worker.drain()
    before = dict(stores.online.scan("items"))
    older = np.ones(1 + 2 * FOLDS + SEGMENTS).tobytes()
    stores.online.commit(StateChange(stores.online.position(), items=dict.fromkeys(before, older)))
    close(stores)
    again, stores = worker_at(settings)
    assert again.recover()
    assert dict(stores.online.scan("items")) == before
    assert all(stores.states.pack(row) == raw for row, raw in before.items())

"""What an older version wrote is made anew from the log."""

from pathlib import Path

import numpy as np
import pytest
from tests.streaming.sites import fill, settings_at, some_events, worker_at

from palate.features.online.protocol import StateChange
from palate.mapped.files import MappedArrays
from palate.mapped.layouts import Column, Layout
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


BEFORE = {
    "states": Layout(
        {
            "counts": Column("f4", (27,)),
            "times": Column("f8", (7,)),
            "segments": Column("f4", (48,)),
        },
        {"position": "i8", "newest": "f8", "beat": "f8", "dirty": "i8"},
    ),
    "covisit": Layout(
        {"rows": Column("i4", (32,), -1), "weights": Column("f4", (32,)), "counts": Column("f8")},
        {"position": "i8", "dirty": "i8", "newest": "f8"},
    ),
}
"""Of when every item had places for all its numbers."""


@pytest.mark.parametrize("older", ["states", "covisit"])
def test_mapped_files_of_an_older_layout_are_made_anew_and_the_log_is_not_folded_again(
    tmp_path: Path, older: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_at(tmp_path)
    fill(settings, some_events(60))
    worker, stores = worker_at(settings)
    worker.drain()
    held = dict(stores.online.scan("items")), dict(stores.online.scan("covisit"))
    close(stores)
    folder = settings.path(settings.stores.columns) / older
    arrays = MappedArrays.open(folder, BEFORE[older], write=True, capacity=8)
    arrays.stamp(position=60)
    arrays["counts"][:] = 9.0
    monkeypatch.setattr("palate.streaming.worker.recount", None)
    again, stores = worker_at(settings)
    assert again.recover()
    assert held[0] == {row: stores.states.pack(row) for row in held[0]}
    assert held[1] == {row: stores.covisit.pack(row) for row in held[1]}
    assert len(list(folder.iterdir())) == 1

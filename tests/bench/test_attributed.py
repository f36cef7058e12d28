"""Attribution against people of whom every cause is known, in short (all of it: the bench)."""

import argparse
from functools import partial

import msgspec
import pytest
from attributed import judged

from palate.settings import Settings
from palate.settings_loop import AttributionSettings

FEW = argparse.Namespace(users=25, days=10)


def test_what_clients_name_is_found_to_the_last_act() -> None:
    told = judged(1, "cascade", FEW, names=True)
    assert told["purchase_causes"] > 10
    for kind in ("click", "view", "like", "purchase"):
        assert told[f"{kind}_recall"] == 1.0, kind
    assert {told[f"{kind}_precision"] for kind in ("click", "like")} == {1.0}
    assert 0.9 < told["purchase_precision"] < 1.0, "some are bought when the window is over"
    assert 0.9 < told["view_precision"] < 1.0, "some views were nobody's doing"


def test_what_they_do_not_name_is_guessed_by_the_last_showing() -> None:
    told = judged(1, "cascade", FEW, names=False)
    assert told["click_precision"] == told["click_recall"] == 1.0
    assert told["view_recall"] > 0.95
    assert 0.5 < told["purchase_recall"] < 1.0, "shown again in between"


def test_the_oracle_sees_a_window_that_is_too_short(monkeypatch: pytest.MonkeyPatch) -> None:
    hours = AttributionSettings().hours | {"purchase": 1.0}
    short = msgspec.structs.replace(AttributionSettings(), hours=hours)
    monkeypatch.setattr("attributed.Settings", partial(Settings, attribution=short))
    assert judged(1, "cascade", FEW, names=True)["purchase_recall"] < 0.5

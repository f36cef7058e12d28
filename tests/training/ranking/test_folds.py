"""A fold learns and stops by what was known when its judges began."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace as changed
from tests.training.ranking.test_network import GENERATORS, NAMES, NOTHING, history

from palate.settings import Settings
from palate.training.ranking import folds
from palate.training.ranking.folds import Layout, run_fold
from palate.training.ranking.lists import RankedList
from palate.training.report import silent

LATE = 50


def lived() -> list[RankedList]:
    """One list a position; every other label is told long after its moment."""
    made = []
    for n, each in enumerate(history()):
        told = np.full(len(each.rows), n, np.int64)
        told[::2] += LATE
        made.append(replace(each, user=n, position=n, came=told))
    return made


def test_what_is_told_while_the_judges_are_asked_neither_teaches_nor_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lists, whole = lived(), folds.learn_all
    seen: dict[str, list[RankedList]] = {}

    def learn(_: Any, train: Any, stop: Any, *rest: Any) -> Any:
        seen.update(train=list(train), stop=list(stop))
        return whole(("lambdamart",), train, stop, *rest)

    def calibrated(raw: Any, held: Any) -> Any:
        seen.update(held=list(held))
        return curves(raw, held)

    curves = folds.curves
    monkeypatch.setattr(folds, "learn_all", learn)
    monkeypatch.setattr(folds, "curves", calibrated)
    settings = Settings()
    settings = changed(settings, training=changed(settings.training, ranker="lambdamart"))
    layout = Layout(NAMES, GENERATORS, NOTHING)
    found = run_fold(lists, (0.5, 0.75, 1.0), layout, settings, silent)
    begins = found.judge[0].position
    for part in ("train", "stop"):
        for each in seen[part]:
            assert each.came is not None
            assert (each.came[each.labels.any(axis=1)] < begins).all()
        assert any(each.labels.any() for each in seen[part])
    late = [(each.came[each.labels.any(axis=1)] >= begins).any() for each in seen["held"]]  # type: ignore[index]
    assert any(late), "calibrated on labels that had the time to come true"

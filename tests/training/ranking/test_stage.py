"""What a run does with rankers: where none can be tried, the live one is left in its place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from tests.training.conftest import START, board_events, checkerboard

from palate.models.ranker import RankerModel
from palate.releases.manifest import Manifest
from palate.releases.release import Release
from palate.stores import Stores, close
from palate.surfaces.home import generators
from palate.training.dataset import read_dataset
from palate.training.ranking import stage
from palate.training.ranking.moments.rows import RowSource
from palate.training.ranking.stage import RankerOutcome, learn_ranker
from palate.training.report import silent


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Stores]:
    stores = checkerboard(tmp_path)
    yield stores
    close(stores)


def live(ranker: object) -> Release:
    manifest = Manifest(created=START, version="0")
    return Release("old", manifest, ranker=cast("RankerModel | None", ranker))


def learnt(site: Stores, before: Release | None, cut: float = 0.99) -> RankerOutcome:
    data = read_dataset(site, silent)
    return learn_ranker(RowSource(site, generators, None, before), data, cut, silent)


def test_a_ranker_that_serves_is_not_replaced_by_a_release_that_could_not_try_one(
    site: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(board_events()) * 0.01 < stage.FEWEST_MOMENTS
    found = learnt(site, live(object()))
    assert not found.promote
    assert "The live release old has a ranker" in found.verdict.sentence
    assert found.verdict.sentence.endswith("the live one stays.")
    monkeypatch.setattr(stage, "FEWEST_FOUND", 10_000)
    found = learnt(site, live(object()), 0.7)
    assert "at which a generator knew" in found.verdict.sentence
    assert not found.promote


@pytest.mark.parametrize("before", [None, live(None)])
def test_without_a_ranker_that_serves_fusion_takes_its_place(site: Stores, before: Any) -> None:
    found = learnt(site, before)
    assert found.promote
    assert found.verdict.sentence.endswith(": weighted fusion ranks.")

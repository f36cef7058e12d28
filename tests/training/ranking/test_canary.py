"""Rows that know their own future end a training; honest ones do not."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.training.conftest import checkerboard

from palate.errors import GateRefused
from palate.events.batch import EventBatch
from palate.funnel.facts import features_of
from palate.funnel.types import Pool, Query
from palate.releases.directory import ReleaseDirectory
from palate.stores import Stores, close
from palate.surfaces.home import generators
from palate.training.dataset import read_dataset
from palate.training.pipeline import train
from palate.training.ranking.rows import RowSource, reconstruct, sample_moments


def quietly(phase: str, fraction: float, text: str) -> None:
    """Progress that nobody watches."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Stores]:
    stores = checkerboard(tmp_path)
    yield stores
    close(stores)


def test_a_feature_from_the_future_makes_training_fail(
    site: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`item_ratings` is joined from the end of the log: on the wrong day."""
    events = read_dataset(site, quietly).events
    taken = set(zip(events.user.tolist(), events.item.tolist(), strict=True))

    def foreseeing(stores: Stores, query: Query, pool: Pool, names: tuple[str, ...]) -> np.ndarray:
        table = features_of(stores, query, pool, names)
        told = [(query.user.key, row) in taken for row in pool.rows.tolist()]
        table[:, names.index("item_ratings")] = told
        return table

    monkeypatch.setattr("palate.training.ranking.rows.features_of", foreseeing)
    with pytest.raises(GateRefused, match="'item_ratings' alone tells"):
        train(site, generators, quietly)
    assert ReleaseDirectory(site.settings.path("releases")).names() == []


def test_a_state_that_was_folded_too_far_makes_training_fail(
    site: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fold takes in the labelled event itself before the rows are built."""
    data = read_dataset(site, quietly)
    source = RowSource(site, generators, None)
    moments = sample_moments(data.events, data.part(0.7), 50, 10)
    reconstruct(source, data, moments, 0, quietly)
    whole = EventBatch.take

    def greedy(batch: EventBatch, which: slice) -> EventBatch:
        return whole(batch, slice(which.start, which.stop + 1))

    monkeypatch.setattr(EventBatch, "take", greedy)
    with pytest.raises(GateRefused, match="after their moment"):
        reconstruct(source, data, moments, 0, quietly)
